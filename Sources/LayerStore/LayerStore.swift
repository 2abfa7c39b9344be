public import DeviceMapper
internal import FoundationEssentials
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
    /// Holds the whole store shared for as long as it is open.
    let session: StoreLock.Holder
    /// How often each layer is mounted through this object.
    let mountCounts = Mutex<[LayerID: Int]>([:])

    private let transport: (any ControlTransport)?
    private let openControl = Mutex<Control?>(nil)
    private let openPool = Mutex<ThinPool?>(nil)

    /// Opens a store.
    ///
    /// Its pool is activated when something needs it.
    ///
    /// - Parameters:
    ///   - root: The root of the store.
    ///   - options: Options that must not contradict what the store was made with.
    ///   - transport: How commands reach the kernel; `nil` opens the control node when it is needed.
    /// - Throws: ``LayerStoreError/Code/notInitialized``, ``LayerStoreError/Code/optionsContradict``.
    public init(
        opening root: FilePath, options: StorageOptions = StorageOptions(), transport: (any ControlTransport)? = nil
    ) throws(LayerStoreError) {
        let directory = try StoreDirectory(opening: root)
        guard let configuration = try Self.configuration(in: directory) else {
            throw LayerStoreError(.notInitialized, "\(root) holds no store; make one with “dmlayer init”")
        }
        try configuration.check(options)
        self.directory = directory
        self.configuration = configuration
        self.transport = transport
        metadata = try LayerMetadata(directory.metadata)
        lock = StoreLock(directory.lockFile)
        session = try lock.open()
        try session.lock(.store, exclusively: false)
    }

    /// The root of the store.
    public var root: FilePath { directory.root }

    static func configuration(in directory: StoreDirectory) throws(LayerStoreError) -> StoreConfiguration? {
        guard let content = try DurableDirectory(directory.root).read(StoreConfiguration.fileName) else {
            return try DockerRoot.configuration(in: directory)
        }
        do {
            return try JSONDecoder().decode(StoreConfiguration.self, from: Data(content))
        } catch {
            throw LayerStoreError(
                .damagedMetadata,
                "\(directory.root.appending(StoreConfiguration.fileName)) cannot be understood: "
                    + LayerMetadata.explain(error, content),
                underlying: error)
        }
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

    /// The pool, which is activated if it is not active: after a restart of the machine, for example.
    func pool() throws -> ThinPool {
        if let pool = openPool.withLock({ $0 }) { return pool }
        let pool: ThinPool
        if let active = try activePool() {
            pool = active
            try recoverIfAbandoned(pool)
        } else {
            pool = try alone {
                // Somebody else may have activated it while this one waited.
                if let active = try activePool() { return active }
                let activated = try activatePool()
                do {
                    try recover(activated)
                } catch {
                    _ = try? activated.control.removeDevice(.uuid(try poolUUID()))
                    throw error
                }
                return activated
            }
        }
        openPool.withLock { $0 = pool }
        return pool
    }

    func forgetPool() {
        openPool.withLock { $0 = nil }
    }

    /// Runs `body` while no other process has the store open.
    func alone<Result>(_ body: () throws -> Result) throws -> Result {
        // Given up first: two that hold it shared and want it exclusively would wait for each other for ever.
        try session.unlock(.store)
        try session.lock(.store, exclusively: true)
        defer { try? session.lock(.store, exclusively: false) }
        return try body()
    }

    /// Cleans up behind a process that died in the middle of an operation, if that is the case and nobody else is busy.
    private func recoverIfAbandoned(_ pool: ThinPool) throws {
        guard try allocator.hasUnfinished(session) else { return }
        try session.unlock(.store)
        guard try session.tryLock(.store) else { return try session.lock(.store, exclusively: false) }
        defer { try? session.lock(.store, exclusively: false) }
        try recover(pool)
    }
}
