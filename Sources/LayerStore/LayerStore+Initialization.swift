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
    /// On a store that exists, options which may change are kept from now on. A larger `dm.basesize` makes the base device
    /// larger, and larger loop files enlarge the pool.
    ///
    /// - Parameters:
    ///   - root: The root; it is made if it does not exist.
    ///   - options: The options. They are kept; those that fix what a store is must be the ones that it was made with.
    ///   - owner: Who owns the directories and the root of each layer, if it is not root: the user and group that a
    ///     container's root is outside its user namespace.
    ///   - transport: How commands reach the kernel; `nil` opens the control node.
    ///   - removals: When the data of removed layers becomes free.
    ///   - note: Is told what was asked for and not done, although nothing failed.
    /// - Throws: ``LayerStoreError/Code/optionsContradict``, ``LayerStoreError/Code/backingStore``,
    ///   ``LayerStoreError/Code/notEnoughSpace``.
    public static func initialize(
        _ root: FilePath, options: StorageOptions = StorageOptions(), owner: LayerOwner? = nil,
        transport: (any ControlTransport)? = nil, removals: RemovalPolicy = .inBackground,
        note: (String) -> Void = { _ in }
    ) throws(LayerStoreError) -> LayerStore {
        try attempting("make a store in \(root)") {
            let directory = try StoreDirectory(making: root, owner: owner)
            let maker = try StoreLock(directory.lockFile).open()
            try maker.lock(.store, exclusively: true)
            let kept = try configuration(in: directory, options)
            var configuration =
                try kept.map { kept in
                    try renamingPool(kept, options) { configuration throws(LayerStoreError) in
                        try LayerStore(directory, configuration, transport: transport, removals: removals)
                    }
                }
                ?? StoreConfiguration(
                    new: options, defaultFilesystem: options.filesystem ?? defaultFilesystem(), owner: owner)
            try configuration.checkFixed(options)
            try checkOwner(owner, configuration)
            configuration.adopt(options)
            let store = try LayerStore(directory, configuration, transport: transport, removals: removals)
            try store.checkSupport()
            if let pool = try store.activePool() { try store.requireFeatures(options, of: pool) }
            if kept == nil {
                try setUpDirectLVM(
                    options, zeroesNewBlocks: configuration.zeroesNewBlocks ?? false, in: directory)
                if let size = configuration.pool.dataFileSize { try BackingFile.make(directory.dataFile, size: size) }
                if let size = configuration.pool.metadataFileSize {
                    try BackingFile.make(directory.metadataFile, size: size)
                    try reserve(directory.metadataFile, used: 0)
                }
            }
            if try configuration != kept || DurableDirectory(root).read(StoreConfiguration.fileName) == nil {
                try DurableDirectory(directory.root).write(
                    StoreConfiguration.fileName, try StoreJSON.encode(configuration))
            }
            try maker.unlock(.store)
            try store.completeBaseDevice()
            if configuration.pool.poolDevice != nil {
                try store.withPool(layers: []) { pool, _ in try store.rememberPool(pool) }
            }
            try store.adoptFeatures(options)
            if let size = options.baseSize, try store.baseSize() != size { try store.resize(.base, to: size) }
            guard try store.adoptCapacity(options, note: note) else { return store }
            return try LayerStore(opening: root, options: options, transport: transport, removals: removals)
        }
    }

    private static func checkOwner(_ owner: LayerOwner?, _ configuration: StoreConfiguration) throws(LayerStoreError) {
        guard let owner, owner != configuration.owner else { return }
        let made = configuration.owner.map { "\($0.user):\($0.group)" } ?? "root"
        throw LayerStoreError(
            .optionsContradict,
            "the owner \(owner.user):\(owner.group) was given, but the store was made for \(made), which cannot change")
    }

    /// Checks that the kernel has what the options ask for.
    private func checkSupport() throws {
        guard configuration.deferredRemovalOption == true, try control().version() < Self.deferredRemovalVersion else {
            return
        }
        throw LayerStoreError(
            .invalidOption,
            "dm.use_deferred_removal=true needs the kernel's device mapper interface \(Self.deferredRemovalVersion), and "
                + "this is \(try control().version()); set dm.use_deferred_removal=false")
    }

    private static let deferredRemovalVersion = InterfaceVersion(major: 4, minor: 27, patch: 0)

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
                try deactivate(.base, record.deviceID)
                try metadata.beginRemoval(of: .base, record)
                try deleteIfPresent(record.deviceID, in: pool)
                try metadata.endRemoval(record)
            }
            let claim = configuration.pool.poolDevice == nil ? nil : try claimForeignPool(pool)
            defer { try? claim?.close() }
            let state = try stateWithFreeSpace(of: pool)
            let ticket = try withFreshDeviceID(in: pool, holder) { try pool.createDevice($0) }
            var record = LayerRecord(
                deviceID: ticket.id, size: configuration.baseSize, transactionID: state.transactionID,
                isInitialized: false, isDeleted: false, parent: nil, created: Int64(time(nil)))
            try metadata.save(record, of: .base)
            try finish(ticket, holder)
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
            try deactivate(.base, record.deviceID)
            return DeviceSetRecord(
                nextDeviceID: record.deviceID.value, baseDeviceUUID: superblock.uuid,
                baseDeviceFilesystem: configuration.filesystem.rawValue)
        } catch {
            _ = try? deactivate(.base, record.deviceID)
            throw error
        }
    }
}
