internal import BlockDevices
internal import DeviceMapper
internal import LogicalVolumes
internal import Synchronization
internal import SystemPackage
internal import ThinProvisioning

/// What the growth of a pool has changed.
public struct PoolGrowth: Hashable, Sendable {
    /// A size in bytes, as the pool counts it.
    public struct Change: Hashable, Sendable {
        /// Before the growth.
        public let before: UInt64
        /// Now.
        public let now: UInt64
    }

    /// The pool's data.
    public let data: Change
    /// The pool's metadata.
    public let metadata: Change
}

extension LayerStore {
    /// The largest size of a pool's metadata that the kernel makes use of, in bytes: a little less than 16 GiB.
    ///
    /// It is the figure `THIN_METADATA_MAX_SECTORS` of `drivers/md/dm-thin-metadata.h`.
    static let largestMetadata = 33_292_800 * Sectors.bytesPerSector

    /// Makes the pool larger while its layers are mounted and written.
    ///
    /// Files are enlarged durably, and the store remembers their new size, before the pool is told: at every moment the
    /// pool is at most as long as the store remembers, and the files are at least that long. So a growth that was
    /// interrupted is completed by calling this again, or by the next activation of the pool. The pool is never left
    /// suspended.
    ///
    /// - Parameters:
    ///   - data: The new size of the data file in bytes; `nil` keeps the file. What the file, or the block device that
    ///     the pool has instead, has grown to already is put to use in both cases.
    ///   - metadata: The same for the metadata.
    /// - Throws: ``LayerStoreError/Code/sizeTooSmall`` for less than there is, ``LayerStoreError/Code/invalidOption``
    ///   where there is no file of the store's own, ``LayerStoreError/Code/failed`` when the pool takes no changes, or
    ///   what the kernel says.
    @discardableResult
    public func resizePool(data: UInt64? = nil, metadata: UInt64? = nil) throws(LayerStoreError) -> PoolGrowth {
        try attempting("resize the pool") {
            try requireWritable()
            if let pool = configuration.pool.poolDevice {
                throw LayerStoreError(
                    .invalidOption,
                    "the pool \(pool) is not on files of the store; enlarge it where it was made, one of LVM's with “dmlayer pool "
                        + "extend” or “lvextend”, and the new space is used at once")
            }
            if try activePool() == nil {
                // Its activation makes use of all: a pool whose metadata is full might not get through it otherwise.
                let holder = try lock.open()
                defer { withExtendedLifetime(holder) {} }
                try holder.lock(.store, exclusively: false)
                try holder.lock(.capacity, exclusively: true)
                try growFiles(data: data, metadata: metadata)
            }
            return try withPool(layers: []) { pool, holder in
                // Not the store alone: who waits for space in a full pool is inside as well, and waits for this.
                try holder.lock(.capacity, exclusively: true)
                let before = try growableState(of: pool)
                try requireFiles(of: pool)
                try growFiles(data: data, metadata: metadata)
                try grow(pool, before)
                let now = try growableState(of: pool)
                reserveMetadataSpace(now)
                return PoolGrowth(
                    data: .init(before: before.data.totalBytes, now: now.data.totalBytes),
                    metadata: .init(before: before.metadata.totalBytes, now: now.metadata.totalBytes))
            }
        }
    }

    /// Runs `body` while nobody else changes the table of the pool, nor that of an active layer, which the kernel does not bear
    /// at the same time: see `ThinPool.resize(_:to:)`.
    ///
    /// A pool of LVM's is protected from lvm2 as well.
    ///
    /// - Throws: What `body` throws; `LogicalVolumeError` when the lock of the volume group is not to be had.
    public func withPoolTable(_ body: () throws -> Void) throws {
        let holder = try lock.open()
        try holder.lock(.capacity, exclusively: true)
        try withExtendedLifetime(holder) {
            guard let volume = try poolVolume() else { return try body() }
            try volume.withPoolTable(body)
        }
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
        let recorded = try Self.configuration(in: directory)?.pool ?? configuration.pool
        if let metadata, metadata > Self.largestMetadata {
            throw LayerStoreError(
                .invalidOption,
                "a pool makes use of \(Self.largestMetadata) bytes of metadata and no more; ask for that size at most")
        }
        let dataSize = try Self.size(data, of: directory.dataFile, "data", recorded.dataFileSize)
        let metadataSize = try Self.size(metadata, of: directory.metadataFile, "metadata", recorded.metadataFileSize)
        if let dataSize { try BackingFile.make(directory.dataFile, size: dataSize) }
        if let metadataSize { try BackingFile.make(directory.metadataFile, size: metadataSize) }
        try updateConfiguration { configuration in
            configuration.pool.dataFileSize = dataSize
            configuration.pool.metadataFileSize = metadataSize
        }
    }

    /// The size that a file must get: what is asked for, or else what it has; `nil` where there is no file.
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
        let size = try BackingFile.size(of: file, atLeast: recorded)
        guard let asked else { return size }
        guard asked >= size else {
            throw LayerStoreError(
                .sizeTooSmall,
                "\(file) has \(ByteSize.decimal(size)) (\(size) bytes), \(ByteSize.decimal(asked)) (\(asked)) is less, "
                    + "and a pool cannot become smaller")
        }
        return asked
    }

    /// Changes what is kept about the store; a root of Docker's keeps nothing, because everything follows from its files.
    func updateConfiguration(_ change: (inout StoreConfiguration) -> Void) throws {
        let root = try DurableDirectory(directory.root)
        guard try root.read(StoreConfiguration.fileName) != nil, let kept = try Self.configuration(in: directory) else {
            return
        }
        var changed = kept
        change(&changed)
        if changed != kept { try root.write(StoreConfiguration.fileName, try StoreJSON.encode(changed)) }
    }

    // MARK: At init

    /// Does what Docker does when it is started with other sizes: files become larger, and never smaller.
    ///
    /// - Returns: Whether the sizes have changed.
    func adoptSizes(_ options: StorageOptions, note: (String) -> Void) throws -> Bool {
        guard configuration.pool.poolDevice == nil else { return false }
        let data = try Self.larger(options.loopDataSize, than: try dataFileSpace(), "dm.loopdatasize", note)
        let metadata = try Self.larger(
            options.loopMetadataSize, than: try metadataFileSpace(), "dm.loopmetadatasize", note)
        if data != nil || metadata != nil { try resizePool(data: data, metadata: metadata) }
        return data != nil || metadata != nil
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
    private func grow(_ pool: ThinPool, _ state: ThinPoolState) throws {
        let (target, length) = try pool.target()
        let data = Sectors(wholeSectorsIn: try size(of: target.dataDevice, on: directory.dataFile))
        let metadata = try size(of: target.metadataDevice, on: directory.metadataFile)
        let dataBlocks = data.bytes / pool.blockSize.bytes
        let metadataBlocks = min(metadata, Self.largestMetadata) / BlockUsage.metadataBlockSize
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
        if let file = try? Stat(file), let loop = try? LoopDevice(number: number), let status = try? loop.status() {
            defer { loop.close() }
            if status.backingInode == file.inode.rawValue, status.backingDevice == DeviceNumber(file.deviceID) {
                try loop.refreshCapacity()
            }
        }
        return try node.size()
    }

    // MARK: The disk below

    /// Checks that the disk under the pool's files has as much left, in proportion, as the pool must have.
    ///
    /// - Throws: ``LayerStoreError/Code/notEnoughSpace``.
    func requireDiskSpace(_ state: ThinPoolState) throws {
        let percent = configuration.minimumFreeSpacePercent
        if let files = poolFiles.withLock({ $0 }),
            files.suffice(
                for: state, diskFree: try BackingFile.freeSpace(under: directory.metadataFile), percent: percent)
        {
            return
        }
        reserveMetadataSpace(state)
        let (data, metadata) = (try dataFileSpace(), try metadataFileSpace())
        if let data, let metadata {
            poolFiles.withLock { $0 = PoolFiles(data: data, metadata: metadata) }
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

    /// Gives the pool's metadata its place on the disk before it is needed.
    ///
    /// A disk that is full costs the layers the writes that do not fit. It would cost the pool its metadata, if a piece of
    /// that had no place either.
    func reserveMetadataSpace(_ state: ThinPoolState) {
        guard configuration.pool.metadataFileSize != nil else { return }
        try? Self.reserve(directory.metadataFile, used: state.metadata.usedBytes)
    }

    /// Has the metadata file take its place on the disk for what is used and up to 64 MiB more.
    ///
    /// The kernel fills metadata from its beginning.
    static func reserve(_ metadata: FilePath, used: UInt64) throws(LayerStoreError) {
        let file = try FileSpace(of: metadata)
        let ahead = FileSpace.metadataAhead(diskFree: file.diskFree)
        guard file.allocated < min(file.size, used + ahead / 2) else { return }
        BackingFile.reserve(metadata, length: min(file.size, used + ahead))
    }
}
