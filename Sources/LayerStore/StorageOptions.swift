/// The storage options of Docker's devicemapper driver, `dm.…=…`, as far as they were given.
///
/// `nil` means that the option was not given; ``StoreConfiguration`` has the defaults.
public struct StorageOptions: Hashable, Sendable {
    /// A file system that a store can put on its base device.
    public enum Filesystem: String, Hashable, Sendable, Codable, CaseIterable {
        case ext4
        case xfs
    }

    /// `dm.basesize`: the size of the base device in bytes.
    public var baseSize: UInt64?
    /// `dm.loopdatasize`: the size of the data file in bytes.
    public var loopDataSize: UInt64?
    /// `dm.loopmetadatasize`: the size of the metadata file in bytes.
    public var loopMetadataSize: UInt64?
    /// `dm.fs`: the file system of the base device.
    public var filesystem: Filesystem?
    /// `dm.mkfsarg`: further arguments for mkfs.
    public var mkfsArguments: [String] = []
    /// `dm.mountopt`: further mount options.
    public var mountOptions: [String] = []
    /// `dm.metadatadev`: the block device of the pool's metadata.
    public var metadataDevice: String?
    /// `dm.datadev`: the block device of the pool's data.
    public var dataDevice: String?
    /// `dm.thinpooldev`: a pool that somebody else made.
    public var thinPoolDevice: String?
    /// `dm.blkdiscard`: whether the data of a removed layer is discarded.
    public var discardsRemovedLayers: Bool?
    /// `dm.blocksize`: the size of a block of the pool in bytes.
    public var blockSize: UInt64?
    /// `dm.override_udev_sync_check`: has no effect, because nothing here waits for udev.
    public var overridesUdevSyncCheck: Bool?
    /// `dm.use_deferred_removal`: whether a busy device goes away when it is closed.
    public var usesDeferredRemoval: Bool?
    /// `dm.use_deferred_deletion`: whether a busy layer is deleted later.
    public var usesDeferredDeletion: Bool?
    /// `dm.min_free_space`: the share of the pool in percent that must be free to make a layer.
    public var minimumFreeSpacePercent: Int?
    /// `dm.xfs_nospace_max_retries`: how often XFS retries a write of metadata that found no space.
    public var xfsNoSpaceRetries: UInt64?
    /// `dm.error_if_no_space`: whether writes fail at once when the pool is full, instead of waiting for more space.
    ///
    /// Docker had no such option, and its pools wait.
    public var failsWhenFull: Bool?
    /// `dm.no_warn_on_loop_devices`: has no effect, because nothing warns of loop devices.
    public var hidesLoopDeviceWarning: Bool?
    /// `dm.zero_new_blocks`: whether the pool fills a new block with zeros before a layer gets it.
    ///
    /// Docker had no such option, and the pools that it made do not.
    public var zeroesNewBlocks: Bool?
    /// Whether a pool that is made now does so where ``zeroesNewBlocks`` is not given.
    ///
    /// It is no option that a user gives: the service sets it, because its layers go to guests that read whole devices.
    public var zeroesNewBlocksByDefault = false
    /// `dm.libdm_log_level`: has no effect, because there is no libdm.
    public var libdmLogLevel: Int?
    /// `dm.directlvm_device`: the block device to make a volume group and a pool of.
    public var directLVMDevice: String?
    /// `dm.directlvm_device_force`: whether a device with a file system is taken as well.
    public var forcesDirectLVMDevice: Bool?
    /// `dm.thinp_percent`: the share of the volume group for data.
    public var thinPoolPercent: Int?
    /// `dm.thinp_metapercent`: the share of the volume group for metadata.
    public var thinPoolMetadataPercent: Int?
    /// `dm.thinp_autoextend_threshold`: the use in percent at which the pool is extended.
    public var autoextendThreshold: Int?
    /// `dm.thinp_autoextend_percent`: by how much of its size the pool is extended.
    public var autoextendPercent: Int?

    /// No options.
    public init() {}

    /// The options that were given and have lost their meaning.
    public var withoutEffect: [String] {
        [
            overridesUdevSyncCheck.map { "dm.override_udev_sync_check=\($0)" },
            libdmLogLevel.map { "dm.libdm_log_level=\($0)" },
            hidesLoopDeviceWarning.map { "dm.no_warn_on_loop_devices=\($0)" },
        ].compactMap(\.self)
    }

    /// The options that were given and say nothing about a store with a certain pool, each in a sentence.
    ///
    /// - Parameters:
    ///   - pool: What the pool is made of.
    ///   - isComplete: Whether the base device is there already.
    func withoutEffect(on pool: PoolSource, isComplete: Bool = false) -> [String] {
        let others = "the pool was made elsewhere (dm.thinpooldev)"
        let isForeign = pool.poolDevice != nil
        let own = pool.directLVM == nil ? others : "the pool is made of the device in dm.directlvm_device"
        var found: [String] = []
        func note(_ option: String, _ value: String?, unless isUsed: Bool, _ reason: String) {
            if let value, !isUsed { found.append("\(option)=\(value) has no effect: \(reason)") }
        }
        note(
            "dm.loopdatasize", loopDataSize?.description, unless: pool.dataFileSize != nil,
            isForeign ? own : "the pool's data is on \(pool.dataDevice ?? "a device")")
        note(
            "dm.loopmetadatasize", loopMetadataSize?.description, unless: pool.metadataFileSize != nil,
            isForeign ? own : "the pool's metadata is on \(pool.metadataDevice ?? "a device")")
        note("dm.blocksize", blockSize?.description, unless: !isForeign, own)
        note(
            "dm.directlvm_device_force", forcesDirectLVMDevice?.description, unless: pool.directLVM != nil,
            "no dm.directlvm_device is given")
        for argument in isComplete ? mkfsArguments : [] {
            found.append("dm.mkfsarg=\(argument) has no effect: the base device has its file system already")
        }
        return found
    }

    /// Reads options in the form `key=value`, in order: a later one replaces an earlier one, except `dm.mkfsarg` and
    /// `dm.mountopt`, which add up.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidOption`` with the option, its value and what is allowed.
    public init(parsing options: [String]) throws(LayerStoreError) {
        for option in options {
            guard let separator = option.firstIndex(of: "=") else {
                throw LayerStoreError(.invalidOption, "storage option “\(option)” is not of the form key=value")
            }
            let key = Self.trimmed(option[..<separator]).lowercased()
            try set(key, OptionValue(key: key, text: Self.trimmed(option[option.index(after: separator)...])))
        }
        try checkTogether()
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0.isWhitespace }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    private mutating func set(_ key: String, _ value: OptionValue) throws(LayerStoreError) {
        switch key {
        case "dm.basesize": baseSize = try value.size()
        case "dm.loopdatasize": loopDataSize = try value.size()
        case "dm.loopmetadatasize": loopMetadataSize = try value.size()
        case "dm.fs": filesystem = try value.filesystem()
        case "dm.mkfsarg": mkfsArguments.append(try value.nonEmpty())
        case "dm.mountopt": mountOptions.append(try value.nonEmpty())
        case "dm.metadatadev": metadataDevice = try value.nonEmpty()
        case "dm.datadev": dataDevice = try value.nonEmpty()
        case "dm.thinpooldev": thinPoolDevice = try value.nonEmpty()
        case "dm.blkdiscard": discardsRemovedLayers = try value.boolean()
        case "dm.blocksize": blockSize = try value.blockSize()
        case "dm.override_udev_sync_check": overridesUdevSyncCheck = try value.boolean()
        case "dm.use_deferred_removal": usesDeferredRemoval = try value.boolean()
        case "dm.use_deferred_deletion": usesDeferredDeletion = try value.boolean()
        case "dm.min_free_space": minimumFreeSpacePercent = try value.percent(0...99, isSignRequired: true)
        case "dm.xfs_nospace_max_retries": xfsNoSpaceRetries = try value.count()
        case "dm.error_if_no_space": failsWhenFull = try value.boolean()
        case "dm.no_warn_on_loop_devices": hidesLoopDeviceWarning = try value.boolean()
        case "dm.zero_new_blocks": zeroesNewBlocks = try value.boolean()
        case "dm.libdm_log_level": libdmLogLevel = try value.integer(2...7)
        case "dm.directlvm_device": directLVMDevice = try value.nonEmpty()
        case "dm.directlvm_device_force": forcesDirectLVMDevice = try value.boolean()
        case "dm.thinp_percent": thinPoolPercent = try value.percent(0...99)
        case "dm.thinp_metapercent": thinPoolMetadataPercent = try value.percent(0...99)
        case "dm.thinp_autoextend_threshold": autoextendThreshold = try value.percent(0...100)
        case "dm.thinp_autoextend_percent": autoextendPercent = try value.percent(0...100)
        default:
            let meant = Spelling.nearest(to: key, among: Self.keys).map { "; did you mean “\($0)”?" } ?? ""
            let hidden = InvisibleCharacter.first(in: key).map { "; it has \($0)" } ?? ""
            throw LayerStoreError(.invalidOption, "there is no storage option “\(key)”\(hidden)\(meant)")
        }
    }

    private static let keys = [
        "dm.basesize", "dm.loopdatasize", "dm.loopmetadatasize", "dm.fs", "dm.mkfsarg", "dm.mountopt", "dm.metadatadev",
        "dm.datadev", "dm.thinpooldev", "dm.blkdiscard", "dm.blocksize", "dm.override_udev_sync_check",
        "dm.use_deferred_removal", "dm.use_deferred_deletion", "dm.min_free_space", "dm.xfs_nospace_max_retries",
        "dm.error_if_no_space", "dm.no_warn_on_loop_devices", "dm.libdm_log_level", "dm.directlvm_device",
        "dm.directlvm_device_force", "dm.thinp_percent", "dm.thinp_metapercent", "dm.thinp_autoextend_threshold",
        "dm.thinp_autoextend_percent",
    ]

    private func checkTogether() throws(LayerStoreError) {
        if usesDeferredDeletion == true, usesDeferredRemoval == false {
            throw LayerStoreError(
                .invalidOption,
                "dm.use_deferred_deletion=true needs deferred removal; set dm.use_deferred_removal=true as well")
        }
        try checkPoolSource()
        try checkDirectLVM()
    }

    private func checkPoolSource() throws(LayerStoreError) {
        guard let thinPoolDevice else { return }
        if directLVMDevice != nil {
            throw LayerStoreError(
                .invalidOption, "dm.directlvm_device makes a pool and dm.thinpooldev names one; give one of them only")
        }
        if dataDevice != nil || metadataDevice != nil {
            throw LayerStoreError(
                .invalidOption,
                "dm.thinpooldev=\(thinPoolDevice) names a pool that exists, "
                    + "dm.datadev and dm.metadatadev name what to make one of; give one or the other")
        }
    }

    private func checkDirectLVM() throws(LayerStoreError) {
        let percentages = [thinPoolPercent, thinPoolMetadataPercent, autoextendThreshold, autoextendPercent]
        if directLVMDevice == nil {
            guard percentages.allSatisfy({ $0 == nil }) else {
                throw LayerStoreError(
                    .invalidOption,
                    "the dm.thinp_… options are about direct-lvm; name its device in dm.directlvm_device")
            }
            return
        }
        guard failsWhenFull != true else {
            throw LayerStoreError(
                .invalidOption,
                "dm.error_if_no_space=true is not for a pool of direct-lvm, whose volume group says this: leave it out, and "
                    + "then run “lvchange --errorwhenfull y docker/thinpool”")
        }
        let data = thinPoolPercent ?? 0
        let metadata = thinPoolMetadataPercent ?? 0
        guard (data == 0) == (metadata == 0) else {
            throw LayerStoreError(.invalidOption, "set both dm.thinp_percent and dm.thinp_metapercent, or neither")
        }
        guard data + metadata <= 100 else {
            throw LayerStoreError(
                .invalidOption,
                "dm.thinp_percent=\(data) and dm.thinp_metapercent=\(metadata) are more than 100 together")
        }
    }
}
