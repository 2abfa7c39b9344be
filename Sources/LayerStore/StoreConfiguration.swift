internal import Filesystems
internal import FoundationEssentials

/// What `init` fixes for the life of a store, kept in `store.json` in its root.
public struct StoreConfiguration: Hashable, Sendable, Codable {
    /// The name of the file.
    static let fileName = "store.json"

    /// Tells this store's devices from all others: 32 hexadecimal digits, a part of each one's DM uuid.
    public var storeID: String
    /// The size of a block of the pool in bytes.
    public var blockSize: UInt64
    /// The size of the base device in bytes.
    public var baseSize: UInt64
    /// The file system of the base device, and so of every layer.
    public var filesystem: StorageOptions.Filesystem
    /// What the pool is made of.
    public var pool: PoolSource
    /// Further arguments for mkfs.
    public var mkfsArguments: [String]
    /// Further mount options.
    public var mountOptions: [String]
    /// The share of the pool in percent that must be free to make a layer.
    public var minimumFreeSpacePercent: Int
    /// Whether the data of removed layers is discarded; `nil` is the default, ``discardsRemovedLayers``.
    var discardOption: Bool?
    /// Whether the device of a layer in use goes away when it is closed; `nil` is the default, ``defersRemoval``.
    var deferredRemovalOption: Bool?
    /// Whether a layer in use is deleted later; `nil` is the default, ``defersDeletion``.
    var deferredDeletionOption: Bool?
    /// How often XFS retries a write of metadata that found no space; `nil` is the default, ``xfsNoSpaceRetryLimit``.
    var xfsNoSpaceRetries: UInt64?
    /// Who owns the directories of the store and the root of each layer; `nil` is root.
    public var owner: LayerOwner?
    /// Whether writes fail at once when the pool is full; without it they wait for more space.
    public var failsWhenFull: Bool?
    /// What the `init` that makes the store may have made so far; `nil` as soon as the store is complete.
    var making: StoreMaking?
    /// Whether the pool fills a new block with zeros before a layer gets it; `nil` is the default, not.
    ///
    /// It says what the pool is activated with. A pool that is a logical volume has this in its volume group's text.
    public var zeroesNewBlocks: Bool?

    enum CodingKeys: String, CodingKey {
        case storeID = "store_id"
        case blockSize = "block_size"
        case baseSize = "base_size"
        case filesystem
        case pool
        case mkfsArguments = "mkfs_arguments"
        case mountOptions = "mount_options"
        case minimumFreeSpacePercent = "min_free_space_percent"
        case discardOption = "blkdiscard"
        case deferredRemovalOption = "use_deferred_removal"
        case deferredDeletionOption = "use_deferred_deletion"
        case xfsNoSpaceRetries = "xfs_nospace_max_retries"
        case owner
        case failsWhenFull = "error_if_no_space"
        case making
        case zeroesNewBlocks = "zero_new_blocks"
    }

    /// Completes `options` with Docker's defaults for a new store.
    ///
    /// - Parameters:
    ///   - options: The options.
    ///   - filesystem: What to take when the options name no file system.
    ///   - owner: Who owns the store, if it is not root.
    init(
        new options: StorageOptions, defaultFilesystem filesystem: StorageOptions.Filesystem, owner: LayerOwner? = nil
    ) {
        storeID = (0..<4).map { _ in
            let digits = String(UInt32.random(in: .min ... .max), radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined()
        blockSize = options.blockSize ?? 64 << 10
        baseSize = options.baseSize ?? 10 << 30
        self.filesystem = options.filesystem ?? filesystem
        pool = PoolSource(options)
        mkfsArguments = options.mkfsArguments
        mountOptions = []
        minimumFreeSpacePercent = 10
        self.owner = owner
        zeroesNewBlocks = options.zeroesNewBlocksByDefault && !pool.isMadeElsewhere ? true : nil
        adopt(options)
    }

    /// Takes over the options that may change during the life of a store.
    mutating func adopt(_ options: StorageOptions) {
        if !options.mountOptions.isEmpty { mountOptions = options.mountOptions }
        minimumFreeSpacePercent = options.minimumFreeSpacePercent ?? minimumFreeSpacePercent
        discardOption = options.discardsRemovedLayers ?? discardOption
        deferredRemovalOption = options.usesDeferredRemoval ?? deferredRemovalOption
        deferredDeletionOption = options.usesDeferredDeletion ?? deferredDeletionOption
        xfsNoSpaceRetries = options.xfsNoSpaceRetries ?? xfsNoSpaceRetries
        // Where the pool is a logical volume, its volume group says the one, and where others made it, the other as well.
        if pool.poolDevice == nil { failsWhenFull = options.failsWhenFull ?? failsWhenFull }
        if !pool.isMadeElsewhere { zeroesNewBlocks = options.zeroesNewBlocks ?? zeroesNewBlocks }
    }

    /// Checks what somebody may have edited by hand.
    ///
    /// - Throws: ``LayerStoreError/Code/damagedMetadata``.
    func check() throws(LayerStoreError) {
        func refuse(_ field: CodingKeys, _ allowed: String) -> LayerStoreError {
            LayerStoreError(.damagedMetadata, "“\(field.stringValue)” in \(Self.fileName) must be \(allowed)")
        }
        guard storeID.utf8.count == 32, storeID.allSatisfy(\.isHexDigit) else {
            throw refuse(.storeID, "32 hexadecimal digits")
        }
        guard (0...99).contains(minimumFreeSpacePercent) else {
            throw refuse(.minimumFreeSpacePercent, "a number from 0 to 99")
        }
        guard !defersDeletion || defersRemoval else {
            throw refuse(.deferredDeletionOption, "false where “use_deferred_removal” is false")
        }
    }

    /// Checks that `options` contradict neither what the store was made with nor what only `init` changes.
    ///
    /// - Throws: ``LayerStoreError/Code/optionsContradict`` with both values.
    func check(_ options: StorageOptions) throws(LayerStoreError) {
        try checkFixed(options)
        for (key, given, kept, isKept) in [
            ("dm.error_if_no_space", options.failsWhenFull, failsWhenFull ?? false, pool.poolDevice == nil),
            ("dm.zero_new_blocks", options.zeroesNewBlocks, zeroesNewBlocks ?? false, !pool.isMadeElsewhere),
        ] {
            // What is not kept, `init` compares with the pool itself.
            guard let given, given != kept, isKept else { continue }
            throw LayerStoreError(
                .optionsContradict,
                "\(key)=\(given) was given, and the store is kept with \(kept); “dmlayer init” changes it")
        }
    }

    /// Checks that `options` do not contradict what the store was made with and cannot change.
    ///
    /// The sizes of the loop files are not among them: `init` enlarges the files, and nothing else looks at these options.
    ///
    /// - Throws: ``LayerStoreError/Code/optionsContradict`` with both values.
    func checkFixed(_ options: StorageOptions) throws(LayerStoreError) {
        func compare<Value: Equatable>(_ key: String, _ given: Value?, _ kept: Value?) throws(LayerStoreError) {
            guard let given, given != kept else { return }
            let made = kept.map { "with \(key)=\($0)" } ?? "without it"
            throw LayerStoreError(
                .optionsContradict,
                "\(key)=\(given) was given, but the store was made \(made), which cannot change")
        }
        let removal = options.usesDeferredRemoval ?? defersRemoval
        let deletion = options.usesDeferredDeletion ?? deferredDeletionOption ?? removal
        guard removal || !deletion else {
            let (given, kept) =
                options.usesDeferredRemoval == nil
                ? ("dm.use_deferred_deletion=true", "dm.use_deferred_removal=false")
                : ("dm.use_deferred_removal=false", "dm.use_deferred_deletion=true")
            throw LayerStoreError(
                .optionsContradict,
                "\(given) was given, but the store was made with \(kept), and deletions cannot be deferred where removals "
                    + "are not; give both options")
        }
        try compare("dm.blocksize", options.blockSize, blockSize)
        try compare("dm.fs", options.filesystem?.rawValue, filesystem.rawValue)
        if let given = DirectLVMOptions(options) {
            try compare("dm.directlvm_device", given.device, pool.directLVM?.device)
            guard given == pool.directLVM else {
                throw LayerStoreError(
                    .optionsContradict,
                    "the dm.thinp_… options are others than the pool was made with; they cannot change")
            }
        }
        if let given = options.thinPoolDevice, let kept = pool.poolDevice, given != kept {
            throw LayerStoreError(
                .optionsContradict,
                "dm.thinpooldev=\(given) was given, and the store is kept with \(kept); if the pool was renamed, “dmlayer init” "
                    + "takes the new name")
        }
        try compare("dm.thinpooldev", options.thinPoolDevice, pool.poolDevice)
        try compare("dm.datadev", options.dataDevice, pool.dataDevice)
        try compare("dm.metadatadev", options.metadataDevice, pool.metadataDevice)
    }
}

extension StoreConfiguration {
    /// Whether the data of removed layers is discarded: by default where the data device is a sparse file, which shrinks.
    public var discardsRemovedLayers: Bool { discardOption ?? (pool.dataFileSize != nil) }

    /// Whether a layer in use is detached, and its device removed when nothing uses it any more.
    public var defersRemoval: Bool { deferredRemovalOption ?? true }

    /// Whether a layer in use can be removed; its data is deleted when nothing uses it any more.
    public var defersDeletion: Bool { deferredDeletionOption ?? defersRemoval }

    /// How often XFS retries a write of metadata that found no space.
    ///
    /// The kernel's default, for ever, leaves processes that cannot be killed when the pool is full.
    public var xfsNoSpaceRetryLimit: UInt64 { xfsNoSpaceRetries ?? 0 }
}

/// A user and a group by their numbers.
public struct LayerOwner: Hashable, Sendable, Codable {
    /// The user.
    public var user: UInt32
    /// The group.
    public var group: UInt32

    /// Reads `USER:GROUP`, both as numbers.
    ///
    /// - Returns: `nil` when the text has another form.
    public init?(_ text: String) {
        let numbers = text.split(separator: ":", omittingEmptySubsequences: false).compactMap { UInt32($0) }
        // The largest number means “leave as it is” to the kernel.
        guard numbers.count == 2, !numbers.contains(.max), text.count(where: { $0 == ":" }) == 1 else { return nil }
        user = numbers[0]
        group = numbers[1]
    }

    enum CodingKeys: String, CodingKey {
        case user = "uid"
        case group = "gid"
    }
}

extension StorageOptions.Filesystem {
    /// The same file system to the floor below.
    var type: FilesystemType {
        switch self {
        case .ext4: .ext4
        case .xfs: .xfs
        }
    }
}
