internal import BlockDevices
public import DeviceMapper
internal import Filesystems
internal import Glibc
public import SystemPackage
internal import Synchronization
internal import ThinProvisioning

extension LayerStore {
    /// Makes a store, or completes one whose making was interrupted: its files, its pool and its base device.
    ///
    /// - Parameters:
    ///   - root: The root; it is made if it does not exist.
    ///   - options: The options. They are kept; a store that exists must have been made with the same ones.
    ///   - transport: How commands reach the kernel; `nil` opens the control node.
    /// - Throws: ``LayerStoreError/Code/optionsContradict``, ``LayerStoreError/Code/backingStore``,
    ///   ``LayerStoreError/Code/notEnoughSpace``.
    public static func initialize(
        _ root: FilePath, options: StorageOptions = StorageOptions(), transport: (any ControlTransport)? = nil
    ) throws(LayerStoreError) -> LayerStore {
        try attempting("make a store in \(root)") {
            let directory = try StoreDirectory(making: root)
            if try configuration(in: directory) == nil {
                let filesystem = options.filesystem ?? defaultFilesystem()
                let configuration = StoreConfiguration(new: options, defaultFilesystem: filesystem)
                if options.directLVMDevice != nil {
                    throw LayerStoreError(
                        .invalidOption,
                        "dm.directlvm_device is not supported; make the volume group and the pool with lvm2, and name the "
                            + "pool in dm.thinpooldev")
                }
                if let size = configuration.pool.dataFileSize { try BackingFile.make(directory.dataFile, size: size) }
                if let size = configuration.pool.metadataFileSize {
                    try BackingFile.make(directory.metadataFile, size: size)
                }
                try DurableDirectory(directory.root).write(
                    StoreConfiguration.fileName, try StoreJSON.encode(configuration))
            }
            let store = try LayerStore(opening: root, options: options, transport: transport)
            try store.completeBaseDevice()
            return store
        }
    }

    private static func defaultFilesystem() -> StorageOptions.Filesystem {
        StorageOptions.Filesystem(rawValue: FilesystemType.preferred().rawValue) ?? .ext4
    }

    // MARK: The base device

    /// Makes the base device with its file system unless it is there.
    private func completeBaseDevice() throws {
        try withPool(layers: [.base]) { pool, holder in
            if let record = try metadata.record(of: .base) {
                if record.isInitialized { return }
                // Its making was interrupted: what is on it means nothing.
                try deactivate(.base)
                try metadata.beginRemoval(of: .base, record)
                try deleteIfPresent(record.deviceID, in: pool)
                try metadata.endRemoval(record)
            }
            if configuration.pool.poolDevice != nil { try claimForeignPool(pool) }
            let state = try stateWithFreeSpace(of: pool)
            let ticket = try withFreshDeviceID(in: pool, holder) { try pool.createDevice($0) }
            var record = LayerRecord(
                deviceID: ticket.id, size: configuration.baseSize, transactionID: state.transactionID,
                isInitialized: false, isDeleted: false, parent: nil, created: Int64(time(nil)))
            try metadata.save(record, of: .base)
            try allocator.finish(ticket, holder)
            try metadata.save(try makeFilesystem(on: record, in: pool))
            record.isInitialized = true
            try metadata.save(record, of: .base)
        }
    }

    private func makeFilesystem(on record: LayerRecord, in pool: ThinPool) throws -> DeviceSetRecord {
        let device = try activate(.base, record, in: pool)
        do {
            let path = try DeviceNode.path(of: device.number)
            try FilesystemMaker.make(configuration.filesystem.type, on: path, arguments: configuration.mkfsArguments)
            let opened = try BlockDevice(path)
            defer { opened.close() }
            guard let superblock = try Superblock.probe(opened) else {
                throw LayerStoreError(.failed, "mkfs succeeded, but there is no file system on the base device")
            }
            opened.close()
            try deactivate(.base)
            return DeviceSetRecord(
                nextDeviceID: record.deviceID.next.value, baseDeviceUUID: superblock.uuid,
                baseDeviceFilesystem: configuration.filesystem.rawValue)
        } catch {
            _ = try? deactivate(.base)
            throw error
        }
    }

    // MARK: Shutdown

    /// Unmounts every layer and removes the pool's device; the files stay.
    ///
    /// - Throws: ``LayerStoreError/Code/busy`` with who uses a layer; the others are down then, and the pool is not.
    public func shutdown() throws(LayerStoreError) {
        try attempting("shut the store down") {
            let holder = try lock.open()
            try isolate(holder)
            guard let pool = try activePool() else { return }
            if try allocator.hasUnfinished(holder) { try recover(pool, holder) }
            try deactivateAll(pool)
            if configuration.pool.poolDevice == nil {
                try pool.control.removeDevice(.uuid(try poolUUID()))
            }
            mountCounts.withLock { $0 = [:] }
        }
    }

    /// Takes every layer and the base device down.
    private func deactivateAll(_ pool: ThinPool) throws {
        var failures: [LayerStoreError] = []
        for device in try pool.control.devices(withPrefix: directory.devicePrefix) {
            let name = String(device.name.description.dropFirst(directory.devicePrefix.count))
            guard device.number != pool.number, let id = try? LayerID(name) else { continue }
            do {
                try deactivate(id)
            } catch let error as LayerStoreError {
                failures.append(error)
            }
        }
        try deactivate(.base)
        if let failure = failures.first {
            throw LayerStoreError(failure.code, failures.map(\.reason).joined(separator: "; "), underlying: failure)
        }
    }
}
