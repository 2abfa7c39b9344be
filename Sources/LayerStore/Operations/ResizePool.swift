internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage
internal import ThinProvisioning

/// The sizes of a pool before and after it has grown.
public struct PoolGrowth: Hashable, Sendable {
    /// A size in bytes, as the pool counts it.
    public struct Change: Hashable, Sendable {
        /// Before the growth.
        public let before: UInt64
        /// Now.
        public let now: UInt64

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(before: UInt64, now: UInt64) {
            self.before = before
            self.now = now
        }
    }

    /// The pool's data.
    public let data: Change
    /// The pool's metadata.
    public let metadata: Change

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(data: Change, metadata: Change) {
        self.data = data
        self.metadata = metadata
    }
}

/// Makes a pool on files or devices of the store larger while its layers are in use.
///
/// Files are enlarged durably, and the store remembers their new size, before the pool is told: at every moment the pool is at
/// most as long as the store remembers, and the files are at least that long. So a growth that was interrupted is completed
/// by the same call, or by the next activation of the pool.
struct ResizePool {
    let core: StoreCore

    func run(data: UInt64?, metadata: UInt64?) throws -> PoolGrowth {
        try core.requireWritable()
        if let named = core.pool.named {
            throw LayerStoreError(
                .invalidOption,
                "the pool \(named.path) is not on files of the store; enlarge it where it was made, one of LVM's with “dmlayer "
                    + "pool extend” or “lvextend”, and the new space is used at once")
        }
        core.resumeAbandoned()
        if try core.pool.active() == nil {
            // Its activation makes use of all: a pool whose metadata is full might not get through it otherwise.
            let holder = try core.openLocks()
            try holder.lock(.store, exclusively: false)
            _ = try holder.lockTables()
            try growFiles(data: data, metadata: metadata)
            holder.close()
        }
        // Not the store alone: a writer that waits for space in a full pool is inside as well, and waits for this.
        return try StoreSession.run(in: core) { session, _ in
            try session.changingTables { _ in try grow(session.pool, data: data, metadata: metadata) }
        }
    }

    private func grow(_ pool: ThinPool, data: UInt64?, metadata: UInt64?) throws -> PoolGrowth {
        let before = try growableState(of: pool)
        try core.pool.backing.requireFiles(of: pool)
        try growFiles(data: data, metadata: metadata)
        try useDevices(pool, before)
        let now = try growableState(of: pool)
        core.pool.backing.reserveMetadataSpace(now)
        return PoolGrowth(
            data: .init(before: before.data.totalBytes, now: now.data.totalBytes),
            metadata: .init(before: before.metadata.totalBytes, now: now.metadata.totalBytes))
    }

    private func growableState(of pool: ThinPool) throws -> ThinPoolState {
        guard case .available(let state) = try pool.status(), !state.needsCheck else {
            throw LayerStoreError(
                .failed, "the pool's metadata must be checked and repaired first; “dmlayer pool status” says how")
        }
        return state
    }

    // MARK: The files

    /// Enlarges the pool's files, and has the store remember it.
    private func growFiles(data: UInt64?, metadata: UInt64?) throws {
        // Another process may have enlarged them since this object read the file.
        let recorded = try StoreConfiguration.read(in: core.directory)?.pool ?? core.configuration.pool
        if let metadata, metadata > ThinPool.largestMetadata {
            throw LayerStoreError(
                .invalidOption,
                "a pool makes use of \(ThinPool.largestMetadata) bytes of metadata and no more; ask for that size at most"
            )
        }
        let (dataFile, metadataFile) = (core.directory.dataFile, core.directory.metadataFile)
        let dataSize = try Self.size(data, of: dataFile, "data", recorded.dataFileSize)
        let metadataSize = try Self.size(metadata, of: metadataFile, "metadata", recorded.metadataFileSize)
        if let dataSize { try PoolFile.make(dataFile, size: dataSize) }
        if let metadataSize { try PoolFile.make(metadataFile, size: metadataSize) }
        try StoreConfiguration.update(in: core.directory) { configuration in
            configuration.pool.dataFileSize = dataSize
            configuration.pool.metadataFileSize = metadataSize
        }
    }

    /// The size that a file must get: the size that was asked for, or else the one that it has; `nil` where there is no file.
    private static func size(
        _ asked: UInt64?, of file: FilePath, _ content: String, _ recorded: UInt64?
    ) throws(LayerStoreError) -> UInt64? {
        guard let recorded else {
            guard asked == nil else {
                throw LayerStoreError(
                    .invalidOption,
                    "the pool's \(content) is on a block device; enlarge that, and then name no size for it here")
            }
            return nil
        }
        let size = try PoolFile.size(of: file, atLeast: recorded)
        guard let asked else { return size }
        guard asked >= size else {
            throw LayerStoreError(
                .sizeTooSmall,
                "\(file) has \(ByteSize.decimal(size)) (\(size) bytes), \(ByteSize.decimal(asked)) (\(asked)) is less, "
                    + "and a pool cannot become smaller")
        }
        return asked
    }

    // MARK: At init

    /// Does what Docker does when it is started with other sizes: files become larger, and never smaller.
    ///
    /// - Returns: Whether the sizes have changed.
    func adopt(_ options: StorageOptions, note: (String) -> Void) throws -> Bool {
        guard core.pool.named == nil else { return false }
        let backing = core.pool.backing
        let data = try Self.larger(options.loopDataSize, than: backing.dataSpace(), "dm.loopdatasize", note)
        let metadata = try Self.larger(
            options.loopMetadataSize, than: backing.metadataSpace(), "dm.loopmetadatasize", note)
        guard data != nil || metadata != nil else { return false }
        _ = try run(data: data, metadata: metadata)
        return true
    }

    private static func larger(
        _ asked: UInt64?, than file: FileSpace?, _ option: String, _ note: (String) -> Void
    ) throws -> UInt64? {
        guard let asked, let file else { return nil }
        if asked < file.size {
            note(
                "\(option)=\(asked) is less than the \(file.size) bytes of \(file.path), and a pool cannot become smaller; "
                    + "its size stays")
        }
        return asked > file.size ? asked : nil
    }

    // MARK: The devices

    /// Lets the pool use all of its devices.
    private func useDevices(_ pool: ThinPool, _ state: ThinPoolState) throws {
        let (target, length) = try pool.target()
        let data = Sectors(wholeSectorsIn: try size(of: target.dataDevice, on: core.directory.dataFile))
        let metadata = try size(of: target.metadataDevice, on: core.directory.metadataFile)
        let dataBlocks = data.bytes / pool.blockSize.bytes
        let metadataBlocks = min(metadata, ThinPool.largestMetadata) / BlockUsage.metadataBlockSize
        guard dataBlocks > state.data.total || metadataBlocks > state.metadata.total else { return }
        try pool.grow(to: max(data, length))
        let grown = try growableState(of: pool)
        guard grown.data.total >= dataBlocks, grown.metadata.total >= metadataBlocks else {
            throw LayerStoreError(
                .failed, "the kernel has accepted the new size and does not use it; its log (dmesg) says why")
        }
    }

    /// The size of a device below the pool, after a loop device has learnt how long its file has become.
    private func size(of device: TargetDevice, on file: FilePath) throws -> UInt64 {
        guard case .number(let number) = device else {
            throw LayerStoreError(.failed, "the kernel names the device \(device) below the pool, which is no number")
        }
        let node = try BlockDevice(DeviceNode.path(of: number))
        defer { node.close() }
        if try PoolFile.isBehind(number, file) {
            let loop = try LoopDevice(number: number)
            defer { loop.close() }
            try loop.refreshCapacity()
        }
        return try node.size()
    }
}
