internal import DeviceMapper
internal import LogicalVolumes
internal import ThinProvisioning

/// The features of a pool: zeroing, discards and the behaviour when it is full, compared with the options and changed.
struct PoolFeatures {
    let core: StoreCore

    /// Checks that a pool does what the options say, where only its maker can change that.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidOption`` with the command that changes it.
    func require(_ options: StorageOptions, of pool: ThinPool) throws {
        guard core.pool.named != nil else { return }
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
            "dm.error_if_no_space", options.errorIfNoSpace, features.contains(.errorIfNoSpace),
            "--errorwhenfull \(options.errorIfNoSpace == true ? "y" : "n")")
        guard core.configuration.pool.isMadeElsewhere else { return }
        try require(
            "dm.zero_new_blocks", options.zeroesNewBlocks, !features.contains(.skipBlockZeroing),
            "--zero \(options.zeroesNewBlocks == true ? "y" : "n")")
    }

    /// Has the pool do what the options say, while its layers are in use.
    func adopt(_ options: StorageOptions) throws {
        guard options.errorIfNoSpace != nil || options.zeroesNewBlocks != nil else { return }
        try StoreSession.run(in: core) { session, _ in
            try require(options, of: session.pool)
            if core.configuration.pool.directLVM != nil {
                guard let zeroes = options.zeroesNewBlocks else { return }
                _ = try session.holder.lockTables()
                return try session.suspending {
                    try core.pool.volume()?.setZeroesNewBlocks(zeroes, session.pool.control)
                }
            }
            guard core.pool.named == nil else { return }
            try session.changingTables { _ in try set(options, on: session.pool) }
        }
    }

    private func set(_ options: StorageOptions, on pool: ThinPool) throws {
        let features = try pool.target().target.features
        if let fails = options.errorIfNoSpace, features.contains(.errorIfNoSpace) != fails {
            try pool.setErrorIfNoSpace(fails)
        }
        if let zeroes = options.zeroesNewBlocks, features.contains(.skipBlockZeroing) == zeroes {
            try pool.setZeroesNewBlocks(zeroes)
        }
    }
}
