internal import DeviceMapper
internal import SystemCalls
internal import SystemPackage
internal import ThinProvisioning

/// The parts that the operations on one open store share.
///
/// Nothing in it changes but what the parts keep to themselves.
final class StoreCore: Sendable {
    let configuration: StoreConfiguration
    let directory: StoreDirectory
    /// Whether anything may be written to the store's files and devices.
    let access: StoreAccess
    /// How long an operation waits for others, all of its waits together.
    let patience: Duration

    let registry: LayerRegistry
    let locks: StoreLock
    let marks = WorkMarks()
    let numbers: DeviceNumbers
    let service: ServiceClaim

    let kernel: KernelAccess
    let identity: DeviceIdentity
    let devices: LayerDevices
    let mounts: LayerMounts
    let pool: StorePool
    let gate: SpaceGate
    let removals: RemovalQueue
    private let watch = BackgroundThread(period: 1)

    init(
        _ directory: StoreDirectory, _ configuration: StoreConfiguration, transport: (any ControlTransport)?,
        access: StoreAccess = .readWrite, removals: RemovalPolicy, patience: Duration = .seconds(30)
    ) throws(LayerStoreError) {
        self.configuration = configuration
        self.directory = directory
        self.access = access
        self.patience = patience
        registry = try LayerRegistry(directory.metadata)
        locks = StoreLock(directory.lockFile)
        numbers = DeviceNumbers(registry, marks)
        service = ServiceClaim(locks)
        kernel = KernelAccess(transport)
        identity = DeviceIdentity(directory, storeID: configuration.storeID)
        devices = LayerDevices(kernel, identity, access)
        mounts = LayerMounts(devices, configuration, directory, access)
        pool = StorePool(kernel, identity, configuration, directory, access)
        gate = SpaceGate(configuration, directory, pool)
        self.removals = RemovalQueue(removals)
    }

    /// Opens a store that is complete; see `LayerStore.init(opening:)`.
    static func open(
        _ root: FilePath, _ options: StorageOptions, _ transport: (any ControlTransport)?, access: StoreAccess,
        removals: RemovalPolicy, patience: Duration
    ) throws(LayerStoreError) -> StoreCore {
        var directory = try StoreDirectory(opening: root)
        if access == .readOnly {
            directory.substitute = FilePath("/run/dmlayer").appending(directory.devicePrefix + "read-only")
        }
        guard var configuration = try StoreConfiguration.read(in: directory) else {
            throw LayerStoreError(.notInitialized, "\(root) holds no store; make one with “dmlayer init”")
        }
        guard configuration.making == nil else {
            let command = configuration.making?.isAdoption == true ? "dmlayer snapshot adopt" : "dmlayer init"
            throw LayerStoreError(
                .notInitialized,
                "the store in \(root) is not complete: “\(command)” is making it, or was interrupted. Run “\(command)” "
                    + "again, with any options")
        }
        try configuration.check(options)
        configuration.adopt(options)
        let core = try StoreCore(
            directory, configuration, transport: transport, access: access, removals: removals, patience: patience)
        if let size = options.baseSize, let base = try core.registry.record(of: .base)?.size, size != base {
            throw LayerStoreError(
                .optionsContradict,
                "dm.basesize=\(size) was given, but the base device has \(base) bytes; “dmlayer init” with a larger size "
                    + "makes it larger")
        }
        return core
    }

    /// Ends the work in the background, after what it is doing.
    func stop() {
        removals.stop()
        watch.stop()
    }

    /// Has a thread of its own resume what a dead process left suspended.
    ///
    /// It reads the marks once a second, which is one system call: nothing tells of a process that died.
    func watchSuspensions() {
        watch.schedule { [weak self] in
            guard let self else { return nil }
            // A device that cannot be resumed now is tried again in a second.
            self.resumeAbandoned()
            return 1
        }
    }

    /// Opens the lock file for one operation, whose waits end together.
    func openLocks() throws -> StoreLock.Holder {
        if let substitute = directory.substitute { try StoreDirectory.makeDirectory(substitute, mode: 0o700) }
        return try locks.open(until: .after(patience))
    }

    /// The marks of work under way, read without a lock; `nil` where there is no lock file.
    func readMarks() throws(LayerStoreError) -> WorkMarks.State? {
        guard let file = try locks.openForReading() else { return nil }
        // Nothing was written through it.
        defer { try? file.close() }
        return try marks.read(from: file)
    }

    /// Refuses what would change something in a store that was opened for reading only.
    func requireWritable() throws(LayerStoreError) {
        guard access == .readWrite else {
            throw LayerStoreError(
                .readOnly, "the store was opened for reading only; leave --read-only out to change it")
        }
    }

    /// Activates the pool.
    ///
    /// The kernel may make an empty one only for a store without any layer.
    ///
    /// - Parameter alone: The caller has the store alone, so that no other operation activates the pool.
    func activatePool(_ alone: StoreAlone) throws -> ThinPool {
        try pool.activate(alone, mayBeNew: !registry.hasRecords())
    }

    // MARK: Layers

    /// Refuses the base device, which every layer begins as, where only a layer will do.
    func requireLayer(_ id: LayerID) throws(LayerStoreError) {
        guard id != .base else {
            throw LayerStoreError(.invalidLayerID, "the base device is no layer; make a layer from it")
        }
    }

    /// The record of a layer that must exist.
    func existing(_ id: LayerID, as role: String = "the layer") throws(LayerStoreError) -> LayerRecord {
        guard let record = try registry.record(of: id), !record.isDeleted else {
            throw LayerStoreError(.noSuchLayer, "\(role) \(id) does not exist")
        }
        return record
    }
}
