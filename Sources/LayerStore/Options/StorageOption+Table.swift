extension StorageOption {
    /// All storage options, in the order in which documents list them.
    package static let all: [StorageOption] = ofEveryStore + ofPoolsOnDevices + ofDirectLVM + withoutMeaning

    /// The option with a certain name.
    static func named(_ key: String) -> StorageOption? { byKey[key] }

    private static let byKey = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })

    private static let ofEveryStore: [StorageOption] = [
        StorageOption(
            "dm.basesize", .size, \.baseSize, standard: "10g", .growing, "size of the base device and of a new layer"),
        StorageOption(
            "dm.loopdatasize", .size, \.loopDataSize, standard: "100g", .growing,
            "size of the sparse file that holds the pool's data"
        ) { pool, _ in
            pool.dataFileSize != nil ? nil : pool.elsewhere ?? "the pool's data is on \(pool.dataDevice ?? "a device")"
        },
        StorageOption(
            "dm.loopmetadatasize", .size, \.loopMetadataSize, standard: "2g", .growing,
            "size of the sparse file that holds the pool's metadata"
        ) { pool, _ in
            pool.metadataFileSize != nil
                ? nil : pool.elsewhere ?? "the pool's metadata is on \(pool.metadataDevice ?? "a device")"
        },
        StorageOption(
            "dm.fs", .filesystem, \.filesystem, standard: "xfs if the host has mkfs.xfs, else ext4",
            .fixed(value: \.filesystem.rawValue), "file system of the layers"),
        StorageOption(
            "dm.mkfsarg", adding: .text, to: \.mkfsArguments, .used, "additional argument for mkfs; can be repeated"
        ) { _, isComplete in isComplete ? "the base device has its file system already" : nil },
        StorageOption(
            "dm.mountopt", adding: .text, to: \.mountOptions,
            .kept { options, kept in
                if !options.mountOptions.isEmpty { kept.mountOptions = options.mountOptions }
            }, "additional mount option of every layer; can be repeated"),
        StorageOption(
            "dm.blocksize", .blockSize, \.blockSize, standard: "64k", .fixed(value: \.blockSize.description),
            "size of a block of the pool: 64k to 1g, a multiple of 64k"
        ) { pool, _ in pool.elsewhere },
        StorageOption(
            "dm.blkdiscard", .truth, \.discardsRemovedLayers, standard: "true for a pool on a file, else false",
            .kept(\.discardsRemovedLayers, in: \.discardOption), "discard the data of removed layers"),
        StorageOption(
            "dm.use_deferred_removal", .truth, \.usesDeferredRemoval, standard: "true",
            .kept(\.usesDeferredRemoval, in: \.deferredRemovalOption),
            "remove the device of a layer in use as soon as it is closed"),
        StorageOption(
            "dm.use_deferred_deletion", .truth, \.usesDeferredDeletion, standard: "as dm.use_deferred_removal",
            .kept(\.usesDeferredDeletion, in: \.deferredDeletionOption),
            "let a layer in use be removed, and delete its data when it is no longer used"),
        StorageOption(
            "dm.min_free_space", .percent(0...99, isSignRequired: true), \.minimumFreeSpacePercent, standard: "10%",
            .kept { options, kept in
                if let percent = options.minimumFreeSpacePercent { kept.minimumFreeSpacePercent = percent }
            }, "share of the pool that must be free to make a layer"),
        StorageOption(
            "dm.xfs_nospace_max_retries", .count, \.xfsNoSpaceRetries, standard: "0",
            .kept(\.xfsNoSpaceRetries, in: \.xfsNoSpaceRetries),
            "how often XFS repeats a write of metadata that failed for lack of space"),
        StorageOption(
            "dm.error_if_no_space", .truth, \.errorIfNoSpace, standard: "false",
            .keptByInitOnly { options, kept in
                // A pool that was made elsewhere, or by direct-lvm, has this setting in its volume group.
                if kept.pool.poolDevice == nil { kept.errorIfNoSpace = options.errorIfNoSpace ?? kept.errorIfNoSpace }
            } value: { kept in
                kept.pool.poolDevice == nil ? "\(kept.errorIfNoSpace ?? false)" : nil
            }, "let writes to a full pool fail at once instead of waiting for space"),
        StorageOption(
            "dm.zero_new_blocks", .truth, \.zeroesNewBlocks, standard: "false, and true for a pool that serve makes",
            .keptByInitOnly { options, kept in
                if !kept.pool.isMadeElsewhere { kept.zeroesNewBlocks = options.zeroesNewBlocks ?? kept.zeroesNewBlocks }
            } value: { kept in
                kept.pool.isMadeElsewhere ? nil : "\(kept.zeroesNewBlocks ?? false)"
            }, "fill a new block of the pool with zeros before a layer gets it"),
    ]

    private static let ofPoolsOnDevices: [StorageOption] = [
        StorageOption(
            "dm.datadev", .device, \.dataDevice, .fixed(value: \.pool.dataDevice),
            "block device for the pool's data, instead of a file"),
        StorageOption(
            "dm.metadatadev", .device, \.metadataDevice, .fixed(value: \.pool.metadataDevice),
            "block device for the pool's metadata, instead of a file"),
        StorageOption(
            "dm.thinpooldev", .device, \.thinPoolDevice,
            .fixed(
                value: \.pool.poolDevice, advice: "if the pool was renamed, “dmlayer init” takes the new name"),
            "pool that already exists, instead of one that init makes"),
    ]

    private static let ofDirectLVM: [StorageOption] = [
        StorageOption(
            "dm.directlvm_device", .device, \.directLVMDevice, .fixed(value: \.pool.directLVM?.device),
            "block device on which init makes the volume group docker and the pool thinpool"),
        StorageOption(
            "dm.directlvm_device_force", .truth, \.forcesDirectLVMDevice, standard: "false", .used,
            "overwrite a device that holds data"
        ) { pool, _ in pool.directLVM == nil ? "no dm.directlvm_device is given" : nil },
        StorageOption(
            "dm.thinp_percent", .percent(0...99), \.thinPoolPercent, standard: "95", .fixedWithDirectLVM,
            "share of the volume group for data"),
        StorageOption(
            "dm.thinp_metapercent", .percent(0...99), \.thinPoolMetadataPercent, standard: "1", .fixedWithDirectLVM,
            "share of the volume group for metadata"),
        StorageOption(
            "dm.thinp_autoextend_threshold", .percent(0...100), \.autoextendThreshold, standard: "80",
            .fixedWithDirectLVM, "use of the pool at which it is made larger"),
        StorageOption(
            "dm.thinp_autoextend_percent", .percent(0...100), \.autoextendPercent, standard: "20", .fixedWithDirectLVM,
            "share of its size by which the pool is made larger"),
    ]

    private static let withoutMeaning: [StorageOption] = [
        StorageOption(
            "dm.override_udev_sync_check", .truth, \.overridesUdevSyncCheck, .ignored, "no step waits for udev"),
        StorageOption("dm.libdm_log_level", .number(2...7), \.libdmLogLevel, .ignored, "there is no libdm"),
        StorageOption(
            "dm.no_warn_on_loop_devices", .truth, \.hidesLoopDeviceWarning, .ignored,
            "there is no warning about loop devices"),
    ]
}

extension PoolSource {
    /// Why options about making a pool have no effect; `nil` when the store makes its pool of two devices or files.
    fileprivate var elsewhere: String? {
        guard poolDevice != nil else { return nil }
        return directLVM == nil
            ? "the pool was made elsewhere (dm.thinpooldev)" : "the pool is made of the device in dm.directlvm_device"
    }
}
