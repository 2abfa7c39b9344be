internal import DeviceMapper
internal import LogicalVolumes
internal import ThinProvisioning

/// What a pool does with new blocks, and when it is full.
extension LayerStore {
    /// Checks that a pool does what the options say, where only its maker can change that.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidOption`` with the command that changes it.
    func requireFeatures(_ options: StorageOptions, of pool: ThinPool) throws {
        guard configuration.pool.poolDevice != nil else { return }
        let features = try pool.target().target.features
        let volume = ThinPoolVolume(pool.name.description)?.description ?? "GROUP/POOL"
        func require(_ key: String, _ given: Bool?, _ present: Bool, _ command: String) throws(LayerStoreError) {
            guard let given, given != present else { return }
            throw LayerStoreError(
                .invalidOption,
                "\(key)=\(given) was given, and the pool \(pool.name) was made elsewhere, with \(present). Leave the option "
                    + "out, or change the pool where it was made, one of LVM's with “lvchange \(command) \(volume)”")
        }
        try require(
            "dm.error_if_no_space", options.failsWhenFull, features.contains(.errorIfNoSpace),
            "--errorwhenfull \(options.failsWhenFull == true ? "y" : "n")")
        guard configuration.pool.isMadeElsewhere else { return }
        try require(
            "dm.zero_new_blocks", options.zeroesNewBlocks, !features.contains(.skipBlockZeroing),
            "--zero \(options.zeroesNewBlocks == true ? "y" : "n")")
    }

    /// Lets the pool do what the options say, while its layers are in use.
    func adoptFeatures(_ options: StorageOptions) throws {
        guard options.failsWhenFull != nil || options.zeroesNewBlocks != nil else { return }
        try withPool(layers: []) { pool, holder in
            try requireFeatures(options, of: pool)
            if configuration.pool.directLVM != nil {
                if let zeroes = options.zeroesNewBlocks {
                    // No table of the pool changes while that of an active layer does.
                    try holder.lock(.capacity, exclusively: true)
                    try poolVolume()?.setZeroesNewBlocks(zeroes, pool.control)
                }
                return
            }
            guard configuration.pool.poolDevice == nil else { return }
            try withPoolTable {
                let features = try pool.target().target.features
                if let fails = options.failsWhenFull, features.contains(.errorIfNoSpace) != fails {
                    try pool.setFailsWhenFull(fails)
                }
                if let zeroes = options.zeroesNewBlocks, features.contains(.skipBlockZeroing) == zeroes {
                    try pool.setZeroesNewBlocks(zeroes)
                }
            }
        }
    }
}
