internal import DeviceMapper
internal import Synchronization
internal import SystemPackage
internal import ThinProvisioning

/// Decides whether a pool can take another layer: its mode, its space, the disk below it, and its snapshot clock.
final class SpaceGate: Sendable {
    private let configuration: StoreConfiguration
    private let directory: StoreDirectory
    private let pool: StorePool
    /// The last known sizes of the pool's files; `nil` before the first look.
    private let files = Mutex<PoolFiles?>(nil)
    /// How many layers were let through since the clock was read.
    private let sinceClock = Mutex<UInt32?>(nil)

    init(_ configuration: StoreConfiguration, _ directory: StoreDirectory, _ pool: StorePool) {
        self.configuration = configuration
        self.directory = directory
        self.pool = pool
    }

    private var percent: Int { configuration.minimumFreeSpacePercent }

    /// The pool's state, if it can take another layer.
    ///
    /// - Throws: ``LayerStoreError/Code/notEnoughSpace`` below the share that is kept free, and near the end of the pool's
    ///   snapshot clock; ``LayerStoreError/Code/failed`` when the pool takes no changes.
    func require(_ active: ThinPool) throws -> ThinPoolState {
        guard case .available(let state) = try active.status() else {
            throw LayerStoreError(
                .failed, "the pool \(active.name) has failed; “dmlayer pool status” says what to do")
        }
        guard state.mode != .readOnly else {
            throw LayerStoreError(
                .failed, "the pool \(active.name) is read-only; “dmlayer pool status” says why, and what to do")
        }
        // A parent that is in use is suspended, which never ends while its writes wait for space.
        guard state.mode != .outOfDataSpace else {
            throw LayerStoreError(
                .notEnoughSpace,
                "the pool \(active.name) is full; remove layers, or enlarge it with “dmlayer pool resize”")
        }
        for (what, usage) in [("data", state.data), ("metadata", state.metadata)] {
            let minimum = usage.minimumFree(percent: percent)
            guard usage.free >= minimum else {
                throw LayerStoreError(
                    .notEnoughSpace,
                    "the pool has \(usage.free) free \(what) blocks, and \(minimum) (dm.min_free_space=\(percent)%) must be "
                        + "free to make a layer; remove layers or enlarge the pool")
            }
        }
        try requireDiskSpace(state)
        try requireTime(of: active)
        return state
    }

    /// Checks the pool's snapshot clock for the first layer, and then often enough not to miss the margin before its end.
    private func requireTime(of active: ThinPool) throws {
        guard sinceClock.withLock({ $0.map { $0 % SnapshotClock.interval == 0 } ?? true }) else {
            return sinceClock.withLock { $0 = ($0 ?? 0) + 1 }
        }
        try SnapshotClock.require(roomIn: pool.metadataDevice(of: active))
        sinceClock.withLock { $0 = 1 }
    }

    /// Checks that the disk under the pool's files has as much left, in proportion, as the pool must have.
    private func requireDiskSpace(_ state: ThinPoolState) throws {
        if let seen = files.withLock({ $0 }),
            seen.suffice(for: state, diskFree: try PoolFile.freeSpace(under: directory.metadataFile), percent: percent)
        {
            return
        }
        pool.backing.reserveMetadataSpace(state)
        let (data, metadata) = (try pool.backing.dataSpace(), try pool.backing.metadataSpace())
        if let data, let metadata {
            files.withLock { $0 = PoolFiles(data: data, metadata: metadata) }
        }
        for (what, usage, file) in [("data", state.data, data), ("metadata", state.metadata, metadata)] {
            guard let file, let shortage = file.shortage(for: usage, percent: percent) else { continue }
            throw LayerStoreError(
                .notEnoughSpace,
                "the disk under \(file.path) can take \(ByteSize.decimal(shortage.available)) more \(what), and "
                    + "\(ByteSize.decimal(shortage.minimum)) (dm.min_free_space=\(percent)% "
                    + "of what fits on it) must be free to make a layer; free space on it, or remove layers")
        }
    }
}
