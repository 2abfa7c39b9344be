internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import Glibc
internal import SystemPackage
internal import ThinProvisioning

/// Making the base device.
extension LayerStore {
    /// Enters the pool of a complete store, which proves that it is the right one, and makes the base device where that alone
    /// is missing.
    ///
    /// - Parameter triesMounting: Whether the base device is mounted once, to see whether its file system takes the options.
    func completeBaseDevice(triesMounting: Bool) throws {
        try withPool(layers: [.base]) { pool, holder in
            guard let record = try metadata.record(of: .base), record.isInitialized else {
                return try makeBaseDevice(in: pool, holder)
            }
            guard triesMounting else { return }
            let present = try device(of: record.deviceID, pool.control)
            let base = try present ?? activate(.base, record, in: pool, isReadOnly: true)
            defer { if present == nil { _ = try? failure(removing: uuid(of: record.deviceID), pool.control) } }
            try requireMountable(try DeviceNode.path(of: base.number))
        }
    }

    /// Makes the base device with its file system; the caller has its lock.
    func makeBaseDevice(in pool: ThinPool, _ holder: StoreLock.Holder) throws {
        if let record = try metadata.record(of: .base) {
            // Its making was interrupted: what is on it means nothing.
            try deactivate(.base, record.deviceID)
            try metadata.beginRemoval(of: .base, record)
            try deleteIfPresent(record.deviceID, in: pool)
            try metadata.endRemoval(record)
        }
        let claim = configuration.pool.poolDevice == nil ? nil : try claimForeignPool(pool)
        defer { try? claim?.close() }
        try requireRoomForLayers(in: pool)
        let state = try stateWithFreeSpace(of: pool)
        try requireRoom(for: configuration.baseSize, in: state)
        let ticket = try withFreshDeviceID(in: pool, holder) { try pool.createDevice($0) }
        var record = LayerRecord(
            deviceID: ticket.id, size: configuration.baseSize, transactionID: state.transactionID,
            isInitialized: false, isDeleted: false, parent: nil, created: Int64(time(nil)))
        try metadata.save(record, of: .base)
        try finish(ticket, holder)
        let deviceSet = try makeFilesystem(on: record, in: pool)
        try requireRoomForLayers(in: pool)
        try metadata.save(deviceSet)
        record.isInitialized = true
        try metadata.save(record, of: .base)
    }

    /// Makes the file system and mounts it once; the device is not active any more when this returns or throws.
    private func makeFilesystem(on record: LayerRecord, in pool: ThinPool) throws -> DeviceSetRecord {
        let device = try activate(.base, record, in: pool)
        do {
            let path = try DeviceNode.path(of: device.number)
            try runMkfs(on: path, device, in: pool)
            let opened = try BlockDevice(path)
            defer { opened.close() }
            guard let superblock = try Superblock.probe(opened) else {
                throw LayerStoreError(.failed, "mkfs succeeded, but there is no file system on the base device")
            }
            opened.close()
            try requireMountable(path)
            try deactivate(.base, record.deviceID)
            return DeviceSetRecord(
                nextDeviceID: record.deviceID.value, baseDeviceUUID: superblock.uuid,
                baseDeviceFilesystem: configuration.filesystem.rawValue)
        } catch {
            _ = try? deactivate(.base, record.deviceID)
            throw error
        }
    }

    /// Runs mkfs, which must not wait for space in a pool that has none.
    ///
    /// A pool that is full lets writes wait for a minute, and a process that waits so cannot be killed. The pool may be
    /// another's, whose table is not to be changed. So the base device itself gets a table on which every request fails, and mkfs is killed.
    private func runMkfs(on path: FilePath, _ device: DeviceInformation, in pool: ThinPool) throws {
        var isFull = false
        func hasSpace() -> Bool {
            // Without an answer nothing is known, and mkfs goes on.
            guard !isFull, case .available(let state)? = try? pool.status(), state.mode == .outOfDataSpace else {
                return !isFull
            }
            isFull = true
            let table = MappingTable(.error, length: Sectors(wholeSectorsIn: configuration.baseSize))
            _ = try? pool.control.replaceTable(of: device.reference, with: table, options: [.noFlush, .skipFreeze])
            return false
        }
        do {
            try FilesystemMaker.make(
                configuration.filesystem.type, on: path, arguments: configuration.mkfsArguments, isWanted: hasSpace)
        } catch {
            if hasSpace() { throw mkfsFailure(error) }
        }
        guard !hasSpace() else { return }
        guard case .available(let state) = try pool.status() else {
            throw LayerStoreError(.failed, "the pool \(pool.name) has failed; the kernel log (dmesg) says why")
        }
        throw poolTooSmall(ByteSize.decimal(state.data.totalBytes))
    }

    private func poolTooSmall(_ size: String) -> LayerStoreError {
        LayerStoreError(
            .notEnoughSpace,
            "the file system of the base device (dm.basesize=\(configuration.baseSize)) does not fit into the pool, which has "
                + "\(size); take a larger pool or a smaller dm.basesize")
    }

    /// A disk with less space than this is full, in bytes.
    private static let leastDiskSpace: UInt64 = 1 << 20

    private func mkfsFailure(_ error: FilesystemError) -> LayerStoreError {
        if configuration.pool.dataFileSize != nil, let file = try? FileSpace(of: directory.dataFile),
            file.diskFree < Self.leastDiskSpace
        {
            return LayerStoreError(
                .notEnoughSpace,
                "the disk under \(file.path) has become full while the file system of the base device was made; free space on "
                    + "it, or name a root on a larger one", underlying: error)
        }
        let arguments = configuration.mkfsArguments.map { "dm.mkfsarg=\($0)" }.joined(separator: " ")
        return LayerStoreError(
            arguments.isEmpty || error.errno != nil ? .failed : .invalidOption,
            arguments.isEmpty || error.errno != nil
                ? "\(error)" : "\(error); correct \(arguments), or leave it out", underlying: error)
    }

    /// Checks that the file system takes the options that layers are to be mounted with; nothing is written.
    private func requireMountable(_ path: FilePath) throws {
        let options = configuration.mountOptions
        do {
            _ = try DetachedMount(
                path, type: configuration.filesystem.rawValue, options: identityOptions + options, .readOnly)
        } catch {
            let given = options.map { "dm.mountopt=\($0)" }.joined(separator: " ")
            throw LayerStoreError(
                options.isEmpty ? .failed : .invalidOption,
                options.isEmpty
                    ? "\(error)"
                    : "\(configuration.filesystem.rawValue) cannot be mounted with \(given): \(error); correct it or leave it out",
                underlying: error)
        }
    }

    // MARK: Space

    /// No file system fits into less than a thousandth of its size.
    private static let largestRatio: UInt64 = 1024

    private func requireRoom(for size: UInt64, in state: ThinPoolState) throws(LayerStoreError) {
        guard size / Self.largestRatio > state.data.totalBytes else { return }
        throw poolTooSmall(ByteSize.decimal(state.data.totalBytes))
    }

    /// Checks that the base device has left what must be free to make layers: a store without that is of no use.
    private func requireRoomForLayers(in pool: ThinPool) throws {
        guard case .available(let state) = try pool.status() else { return }
        let percent = configuration.minimumFreeSpacePercent
        for (what, usage) in [("data", state.data), ("metadata", state.metadata)] {
            let minimum = usage.minimumFree(percent: percent)
            guard usage.free < minimum else { continue }
            throw LayerStoreError(
                .notEnoughSpace,
                "beside the base device the pool has \(usage.free) of \(usage.total) \(what) blocks free, and \(minimum) "
                    + "(dm.min_free_space=\(percent)%) must be free to make a layer; take a larger pool, or smaller values of "
                    + "dm.basesize or dm.min_free_space")
        }
    }
}
