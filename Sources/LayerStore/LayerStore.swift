public import DeviceMapper
internal import FoundationEssentials
internal import Glibc
internal import Synchronization
public import SystemPackage
internal import ThinProvisioning

/// A store of layers: Docker's devicemapper driver on a thin pool.
///
/// A layer is a thin device with a file system, made as a snapshot of its parent; the first ones are made of the base
/// device, which holds an empty file system. Layers are independent of each other once they exist.
///
/// All methods block, and may be called from any thread. Work on different layers goes on at the same time; another
/// process may have the same store open.
public final class LayerStore: Sendable {
    /// What the DM uuid of every device of every store begins with.
    static let uuidPrefix = "DMLAYER-"

    /// What was fixed when the store was made.
    public let configuration: StoreConfiguration
    let directory: StoreDirectory
    let metadata: LayerMetadata
    let lock: StoreLock
    /// How long the activation, recovery and shutdown of the pool wait for the operations of others.
    private let patience: Duration
    /// How often each layer is mounted through this object.
    let mountCounts = Mutex<[LayerID: Int]>([:])

    private let transport: (any ControlTransport)?
    private let openControl = Mutex<Control?>(nil)

    /// Opens a store.
    ///
    /// Its pool is activated when something needs it.
    ///
    /// - Parameters:
    ///   - root: The root of the store.
    ///   - options: Options that must not contradict what the store was made with.
    ///   - transport: How commands reach the kernel; `nil` opens the control node when it is needed.
    ///   - patience: How long the activation and shutdown of the pool wait for the operations of others.
    /// - Throws: ``LayerStoreError/Code/notInitialized``, ``LayerStoreError/Code/optionsContradict``.
    public init(
        opening root: FilePath, options: StorageOptions = StorageOptions(), transport: (any ControlTransport)? = nil,
        patience: Duration = .seconds(30)
    ) throws(LayerStoreError) {
        let directory = try StoreDirectory(opening: root)
        guard let configuration = try Self.configuration(in: directory) else {
            throw LayerStoreError(.notInitialized, "\(root) holds no store; make one with “dmlayer init”")
        }
        try configuration.check(options)
        self.directory = directory
        self.configuration = configuration
        self.transport = transport
        self.patience = patience
        metadata = try LayerMetadata(directory.metadata)
        lock = StoreLock(directory.lockFile)
    }

    /// The root of the store.
    public var root: FilePath { directory.root }

    static func configuration(in directory: StoreDirectory) throws(LayerStoreError) -> StoreConfiguration? {
        guard let content = try DurableDirectory(directory.root).read(StoreConfiguration.fileName) else {
            return try DockerRoot.configuration(in: directory)
        }
        let configuration: StoreConfiguration
        do {
            configuration = try JSONDecoder().decode(StoreConfiguration.self, from: Data(content))
        } catch {
            throw LayerStoreError(
                .damagedMetadata,
                "\(directory.root.appending(StoreConfiguration.fileName)) cannot be understood: "
                    + LayerMetadata.explain(error, content),
                underlying: error)
        }
        try configuration.check()
        return configuration
    }

    // MARK: The floors below

    /// The device mapper.
    func control() throws -> Control {
        try openControl.withLock { control in
            if let control { return control }
            let opened = try Control(transport: transport ?? KernelTransport())
            control = opened
            return opened
        }
    }

    var allocator: DeviceIDAllocator { DeviceIDAllocator(directory: metadata.directory) }

    /// The DM uuid of a layer's mapped device; `pool` is the pool's own.
    func uuid(of name: String) throws(DeviceMapperError) -> DeviceUUID {
        try DeviceUUID("\(Self.uuidPrefix)\(configuration.storeID)-\(name)")
    }

    func uuid(of id: LayerID) throws(DeviceMapperError) -> DeviceUUID { try uuid(of: "layer-\(id)") }

    func poolUUID() throws(DeviceMapperError) -> DeviceUUID { try uuid(of: "pool") }

    // MARK: One operation

    /// Runs `body` with the pool while nobody else works on any of `layers`.
    ///
    /// The pool is activated if it is not active: after a restart of the machine, for example.
    func withPool<Result>(
        layers: [LayerID], _ body: (ThinPool, StoreLock.Holder) throws -> Result
    ) throws -> Result {
        let holder = try lock.open()
        let pool = try enter(holder)
        try holder.lock(layers)
        return try withExtendedLifetime(holder) { try body(pool, holder) }
    }

    /// Takes part in the store, with its pool active and with nothing left of a process that died.
    private func enter(_ holder: StoreLock.Holder) throws -> ThinPool {
        try holder.lock(.store, exclusively: false)
        var pool = try activePool()
        if pool != nil, try allocator.hasUnfinished(holder) {
            // Either somebody is at work, and then nobody gets the store alone, or somebody died.
            try holder.unlock(.store)
            if try holder.tryLock(.store), let pool = try activePool() { try recover(pool, holder) }
            try holder.lock(.store, exclusively: false)
            // Without the lock for a moment: the pool may have been taken down, and its number given to another device.
            pool = try activePool()
        }
        if let pool { return pool }
        try isolate(holder)
        let activated = try activePoolAlone(holder)
        try holder.lock(.store, exclusively: false)
        return activated
    }

    private func activePoolAlone(_ holder: StoreLock.Holder) throws -> ThinPool {
        // Somebody else may have activated it while this one waited.
        if let active = try activePool() { return active }
        let pool = try activatePool()
        do {
            try recover(pool, holder)
        } catch {
            // What could not be recovered is not offered for use.
            _ = try? pool.control.removeDevice(.uuid(try poolUUID()))
            throw error
        }
        return pool
    }

    /// Gets the store alone, as soon as the operations of others have ended.
    ///
    /// - Throws: ``LayerStoreError/Code/busy`` when they take longer than is waited for.
    func isolate(_ holder: StoreLock.Holder) throws {
        // Given up first: two that hold it shared and want it exclusively would wait for each other.
        try holder.unlock(.store)
        let deadline = ContinuousClock.now.advanced(by: patience)
        while try !holder.tryLock(.store) {
            guard ContinuousClock.now < deadline else {
                throw LayerStoreError(
                    .busy, "another operation on the store \(root) has not ended within \(patience); try again later")
            }
            usleep(20_000)
        }
    }
}
