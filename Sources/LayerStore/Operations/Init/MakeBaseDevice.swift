internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import SystemCalls
internal import SystemPackage
internal import ThinProvisioning

/// Makes the base device: the empty file system that every layer descends from.
struct MakeBaseDevice {
    let core: StoreCore

    /// Enters the pool of a complete store, which proves that it is the right one, and makes the base device where that alone
    /// is missing.
    ///
    /// - Parameter triesMounting: Whether the base device is mounted once, to see whether its file system takes the options.
    func complete(triesMounting: Bool) throws {
        try StoreSession.run(in: core, locking: [.base]) { session, layers in
            let (base, pool) = (layers[0], session.pool)
            guard let record = try core.registry.record(of: .base), record.isInitialized else {
                return try run(base, in: pool, session.holder)
            }
            guard triesMounting else { return }
            let present = try core.devices.active(record.deviceID, of: base)
            let device = try present ?? core.devices.activate(record, of: base, in: pool, isReadOnly: true)
            // A device that stays is used or removed by the next operation that needs it.
            defer { if present == nil { _ = try? core.devices.failure(removing: record.deviceID) } }
            try requireMountable(try DeviceNode.path(of: device.number))
        }
    }

    /// Makes the base device with its file system.
    func run(_ base: LockedLayer, in pool: ThinPool, _ holder: StoreLock.Holder) throws {
        if let record = try core.registry.record(of: .base) {
            // Its making was interrupted: what is on it means nothing.
            try core.mounts.takeDown(base, record.deviceID)
            try core.registry.beginRemoval(of: .base, record)
            try pool.deleteIfPresent(record.deviceID)
            try core.registry.endRemoval(record)
        }
        // A pool that has layers of this store already, or had them when it was taken over, is this store's.
        let isNew = try !core.configuration.isAdopted && core.registry.records().isEmpty
        let claim = try core.pool.named == nil || !isNew ? nil : ForeignPoolClaim(pool)
        defer { claim?.release() }
        try requireRoomForLayers(in: pool)
        let state = try core.gate.require(pool)
        try requireRoom(for: configuration.baseSize, in: state)
        let ticket = try core.numbers.makeDevice(
            in: pool, metadata: { try core.pool.metadataDevice(of: pool) }, holder
        ) { try pool.createDevice($0) }
        var record = LayerRecord(
            deviceID: ticket.id, size: configuration.baseSize, transactionID: state.transactionID,
            isInitialized: false, isDeleted: false, parent: nil, created: Int64(time(nil)))
        try core.registry.save(record, of: .base)
        try core.numbers.finish(ticket, holder)
        let deviceSet = try makeFilesystem(on: record, base, in: pool)
        try requireRoomForLayers(in: pool)
        try core.registry.save(deviceSet)
        record.isInitialized = true
        try core.registry.save(record, of: .base)
    }

    private var configuration: StoreConfiguration { core.configuration }

    /// Makes the file system and mounts it once; the device is not active any more when this returns or throws.
    private func makeFilesystem(
        on record: LayerRecord, _ base: LockedLayer, in pool: ThinPool
    ) throws -> DeviceSetRecord {
        let device = try core.devices.activate(record, of: base, in: pool)
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
            try core.mounts.takeDown(base, record.deviceID)
            return DeviceSetRecord(
                nextDeviceID: record.deviceID.value, baseDeviceUUID: superblock.uuid,
                baseDeviceFilesystem: configuration.filesystem.rawValue)
        } catch {
            // The first failure is the one to report.
            _ = try? core.mounts.takeDown(base, record.deviceID)
            throw error
        }
    }

    /// Runs mkfs, which must not wait for space in a pool that has none.
    ///
    /// A pool that is full lets writes wait for a minute, and a process that waits so cannot be killed. The pool may belong to
    /// somebody else, and its table is not changed. So the base device itself gets a table on which every request fails, and
    /// mkfs is killed.
    private func runMkfs(on path: FilePath, _ device: DeviceInformation, in pool: ThinPool) throws {
        var isFull = false
        func hasSpace() -> Bool {
            // Without an answer nothing is known, and mkfs goes on.
            guard !isFull, case .available(let state)? = try? pool.status(), state.mode == .outOfDataSpace else {
                return !isFull
            }
            isFull = true
            let table = MappingTable(.error, length: Sectors(wholeSectorsIn: configuration.baseSize))
            // Where this fails, mkfs waits for the pool, as it would have.
            _ = try? pool.control.replaceTable(of: device.reference, with: table, options: [.noFlush, .skipLockFS])
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
        // The space only chooses between two messages.
        if configuration.pool.dataFileSize != nil, let file = try? FileSpace(of: core.directory.dataFile),
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
                path, type: configuration.filesystem.rawValue, options: core.mounts.identityOptions + options, .readOnly
            )
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
