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
    }

    /// The root of the store.
    public var root: FilePath { directory.root }

    static func configuration(in directory: StoreDirectory) throws(LayerStoreError) -> StoreConfiguration? {
        guard let content = try DurableDirectory(directory.root).read(StoreConfiguration.fileName) else {
            return try DockerRoot.configuration(in: directory)
        }
        do {
            let configuration = try JSONDecoder().decode(StoreConfiguration.self, from: Data(content))
            try configuration.check()
            return configuration
        } catch let error as LayerStoreError {
            throw error
        } catch {
            throw LayerStoreError(
                .damagedMetadata,
                "\(directory.root.appending(StoreConfiguration.fileName)) cannot be understood: \(error)",
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

    var allocator: DeviceIDAllocator { DeviceIDAllocator(directory: metadata.directory, lock: lock) }

    /// The DM uuid of a layer's mapped device; `pool` is the pool's own.
    func uuid(of name: String) throws(DeviceMapperError) -> DeviceUUID {
        try DeviceUUID("\(Self.uuidPrefix)\(configuration.storeID)-\(name)")
    }

    func uuid(of id: LayerID) throws(DeviceMapperError) -> DeviceUUID { try uuid(of: "layer-\(id)") }

    func poolUUID() throws(DeviceMapperError) -> DeviceUUID { try uuid(of: "pool") }

    // MARK: The pool

    /// Runs `body` with the pool, which nobody takes down meanwhile.
    ///
    /// The pool is activated if it is not active: after a restart of the machine, for example. And what a process that
    /// died in the middle of an operation left behind is cleaned up, unless others are at work; then one of the next ones
    /// does it.
    func withPool<Result>(_ body: (ThinPool) throws -> Result) throws -> Result {
        let presence = try lock.open()
        if try allocator.hasUnfinished(presence), try presence.tryLock(.store), let pool = try activePool() {
            try recover(pool)
        }
        // Also turns the exclusive lock into a shared one, without a moment in between.
        try presence.lock(.store, exclusively: false)
        if let pool = try activePool() { return try withExtendedLifetime(presence) { try body(pool) } }

        // Given up first: two that hold it shared and want it exclusively would wait for each other for ever.
        try presence.unlock(.store)
        try presence.lock(.store, exclusively: true)
        // Somebody else may have activated it while this one waited.
        let pool = try activePool() ?? activateAndRecover()
        try presence.lock(.store, exclusively: false)
        return try withExtendedLifetime(presence) { try body(pool) }
    }

    private func activateAndRecover() throws -> ThinPool {
        let pool = try activatePool()
        do {
            try recover(pool)
        } catch {
            _ = try? pool.control.removeDevice(.uuid(try poolUUID()))
            throw error
        }
        return pool
    }

    /// Runs `body` while nobody else works with the pool.
    func alone<Result>(_ body: () throws -> Result) throws -> Result {
        let presence = try lock.open()
        try presence.lock(.store, exclusively: true)
        return try withExtendedLifetime(presence, body)
    }
}
