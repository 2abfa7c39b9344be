public import DeviceMapper
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
    /// Whether anything may be written to the store's files and devices.
    public let access: Access
    /// How long the activation, recovery and shutdown of the pool wait for the operations of others.
    let patience: Duration
    /// When the data of removed layers becomes free.
    let removals: RemovalPolicy
    let removalWorker = RemovalWorker()
    /// How often each layer is mounted through this object.
    let mountCounts = Mutex<[LayerID: Int]>([:])

    /// What was last seen of the pool's files.
    let poolFiles = Mutex<PoolFiles?>(nil)
    /// The numbers that layers are being made with through this object, each of which has a mark in the lock file.
    let numbersInFlight = Mutex<Set<ThinDeviceID>>([])

    /// What says that this object serves the store's snapshots, and no other may.
    let service = Mutex<StoreLock.Holder?>(nil)

    /// What the pool was told to commit.
    let commits = CommitCounter()

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
    ///   - access: Whether anything may be written. With `.readOnly` the store must not be in use otherwise; layers are
    ///     mounted below `/run/dmlayer`, what a crash left is not put right, and what changes anything is refused.
    ///   - removals: When the data of removed layers becomes free.
    ///   - patience: How long the activation and shutdown of the pool wait for the operations of others.
    /// - Throws: ``LayerStoreError/Code/notInitialized``, ``LayerStoreError/Code/optionsContradict``.
    public convenience init(
        opening root: FilePath, options: StorageOptions = StorageOptions(), transport: (any ControlTransport)? = nil,
        access: Access = .readWrite, removals: RemovalPolicy = .inBackground, patience: Duration = .seconds(30)
    ) throws(LayerStoreError) {
        var directory = try StoreDirectory(opening: root)
        if access == .readOnly {
            directory.substitute = FilePath("/run/dmlayer").appending(directory.devicePrefix + "read-only")
        }
        guard var configuration = try Self.configuration(in: directory) else {
            throw LayerStoreError(.notInitialized, "\(root) holds no store; make one with “dmlayer init”")
        }
        guard configuration.making == nil else {
            throw LayerStoreError(
                .notInitialized,
                "the store in \(root) is not complete: “dmlayer init” is making it, or was interrupted. Run “dmlayer init” "
                    + "again, with any options")
        }
        try configuration.check(options)
        configuration.adopt(options)
        try self.init(
            directory, configuration, transport: transport, access: access, removals: removals, patience: patience)
        if let size = options.baseSize, let base = try baseSize(), size != base {
            throw LayerStoreError(
                .optionsContradict,
                "dm.basesize=\(size) was given, but the base device has \(base) bytes; “dmlayer init” with a larger size "
                    + "makes it larger")
        }
    }

    init(
        _ directory: StoreDirectory, _ configuration: StoreConfiguration, transport: (any ControlTransport)?,
        access: Access = .readWrite, removals: RemovalPolicy, patience: Duration = .seconds(30)
    ) throws(LayerStoreError) {
        self.access = access
        self.directory = directory
        self.configuration = configuration
        self.transport = transport
        self.removals = removals
        self.patience = patience
        metadata = try LayerMetadata(directory.metadata)
        lock = StoreLock(directory.lockFile)
    }

    deinit { removalWorker.stop() }

    /// The root of the store.
    public var root: FilePath { directory.root }

    /// The size of the base device in bytes, or `nil` before there is one.
    func baseSize() throws(LayerStoreError) -> UInt64? { try metadata.record(of: .base)?.size }

    /// What a store was made with, or `nil` when there is none.
    ///
    /// - Parameter options: What is said of a root that Docker made and that does not tell where its pool is.
    static func configuration(
        in directory: StoreDirectory, _ options: StorageOptions = StorageOptions()
    ) throws(LayerStoreError) -> StoreConfiguration? {
        guard let content = try DurableDirectory(directory.root).read(StoreConfiguration.fileName) else {
            return try DockerRoot.configuration(in: directory, options)
        }
        let configuration: StoreConfiguration
        do {
            configuration = try StoreJSON.decode(StoreConfiguration.self, content)
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
            let opened = try Control(transport: commits.counting(transport ?? KernelTransport()))
            control = opened
            return opened
        }
    }

    var allocator: DeviceIDAllocator { DeviceIDAllocator(directory: metadata.directory) }

    /// What the DM uuid of every device of this store begins with.
    private var uuidPrefix: String { "\(Self.uuidPrefix)\(configuration.storeID)-" }

    /// The DM uuid of a thin device that is active.
    ///
    /// It tells thin devices apart, not layers: of a layer that was removed while it was in use the device is left, and a
    /// new layer may have its name.
    func uuid(of number: ThinDeviceID) throws(DeviceMapperError) -> DeviceUUID {
        try DeviceUUID(uuidPrefix + number.description)
    }

    /// The DM uuid of the pool, which tells one that was activated for reading only from another.
    func poolUUID(for access: Access? = nil) throws(DeviceMapperError) -> DeviceUUID {
        try DeviceUUID(uuidPrefix + ((access ?? self.access) == .readOnly ? "pool-read-only" : "pool"))
    }

    /// The thin device that an active device of this store is; `nil` when the uuid is the pool's or another store's.
    func thinDevice(_ uuid: DeviceUUID?) -> ThinDeviceID? {
        guard let uuid, uuid.hasPrefix(uuidPrefix) else { return nil }
        return UInt32(uuid.description.dropFirst(uuidPrefix.utf8.count)).flatMap { ThinDeviceID($0) }
    }

    // MARK: One operation

    /// Runs `body` with the pool while nobody else works on any of `layers`.
    ///
    /// The pool is activated if it is not active: after a restart of the machine, for example.
    ///
    /// - Parameters:
    ///   - layers: The layers.
    ///   - shared: Layers that nobody else may work on either, but that others may copy at the same time.
    ///   - body: What is to be done.
    func withPool<Result>(
        layers: [LayerID], sharing shared: [LayerID] = [], _ body: (ThinPool, StoreLock.Holder) throws -> Result
    ) throws -> Result {
        try entering { holder in
            let entry = try enter(holder) ?? activate(holder)
            try holder.lock(layers, sharing: shared)
            return (try body(entry.pool, holder), entry.hasRecovered)
        }
    }

    /// Runs `body` as ``withPool(layers:_:)`` does, but activates nothing.
    ///
    /// - Returns: `nil` when the pool is not active.
    func withActivePool<Result>(
        layers: [LayerID], _ body: (ThinPool, StoreLock.Holder) throws -> Result
    ) throws -> Result? {
        try entering { holder in
            guard let entry = try enter(holder) else { return (nil, false) }
            try holder.lock(layers)
            return (try body(entry.pool, holder), entry.hasRecovered)
        }
    }

    private func entering<Result>(
        _ body: (StoreLock.Holder) throws -> (Result, hasRecovered: Bool)
    ) throws -> Result {
        let (result, hasRecovered) = try holding(body)
        // Without a lock: what waited to be removed before the machine or a process stopped.
        if hasRecovered { scheduleRemovals() }
        return result
    }

    /// Runs `body` with the pool if it is active, without a lock on a layer; nothing is activated or recovered.
    ///
    /// - Returns: `nil` when the pool is not active.
    func withPoolAsItIs<Result>(_ holder: StoreLock.Holder, _ body: (ThinPool) throws -> Result) throws -> Result? {
        try holder.lock(.store, exclusively: false)
        defer { try? holder.unlock(.store) }
        return try activePool().map(body)
    }

    /// Refuses what would change something in a store that was opened for reading only.
    func requireWritable() throws(LayerStoreError) {
        guard access == .readWrite else {
            throw LayerStoreError(
                .readOnly, "the store was opened for reading only; leave --read-only out to change it")
        }
    }

    private func holding<Result>(_ body: (StoreLock.Holder) throws -> Result) throws -> Result {
        if let substitute = directory.substitute { try StoreDirectory.makeDirectory(substitute, mode: 0o700) }
        let holder = try lock.open()
        return try withExtendedLifetime(holder) { try body(holder) }
    }

    /// Takes part in the store, with nothing left of a process that died.
    ///
    /// - Returns: `nil` when the pool is not active.
    private func enter(_ holder: StoreLock.Holder) throws -> (pool: ThinPool, hasRecovered: Bool)? {
        var deadline: ContinuousClock.Instant?
        while true {
            try holder.lock(.store, exclusively: false)
            guard let pool = try activePool() else { return nil }
            guard access == .readWrite else { return (pool, false) }
            let alive = numbersInFlight.withLock { $0.count }
            guard try allocator.hasUnfinished(holder, besides: alive) else { return (pool, false) }
            // Either somebody is at work, and then nobody gets the store alone, or somebody died.
            var hasRecovered = false
            try holder.unlock(.store)
            if try holder.tryLock(.store), let pool = try activePool() {
                try recover(pool, holder)
                hasRecovered = true
            }
            try holder.lock(.store, exclusively: false)
            // Without the lock for a moment: the pool may have been taken down, and its number given to another device.
            guard let pool = try activePool() else { return nil }
            guard try !hasRecovered && pool.control.information(on: .number(pool.number)).isSuspended else {
                return (pool, hasRecovered)
            }
            // Several that waited for one who died with the pool suspended keep each other from the recovery; who went on
            // would wait for the pool, and keep the others for ever.
            let now = ContinuousClock.now
            guard now < deadline ?? now.advanced(by: patience) else {
                throw LayerStoreError(
                    .busy,
                    "the pool \(pool.name) is suspended, and was not resumed within \(patience); “dmlayer dm resume "
                        + "\(pool.name)” does it by hand")
            }
            deadline = deadline ?? now.advanced(by: patience)
            try holder.unlock(.store)
            usleep(.random(in: 1_000...50_000))
        }
    }

    /// Takes part in the store after its pool has been activated.
    private func activate(_ holder: StoreLock.Holder) throws -> (pool: ThinPool, hasRecovered: Bool) {
        try isolate(holder)
        let activated = try activePoolAlone(holder)
        try holder.lock(.store, exclusively: false)
        return activated
    }

    /// The pool, activated and recovered if it was not active; the caller has the store alone.
    func activePoolAlone(_ holder: StoreLock.Holder) throws -> (pool: ThinPool, hasRecovered: Bool) {
        // Somebody else may have activated it while this one waited.
        if let active = try activePool() { return (active, false) }
        let pool = try activatePool()
        guard access == .readWrite else { return (pool, false) }
        do {
            try recover(pool, holder)
        } catch {
            // What could not be recovered is not offered for use. The base device was looked at, and is perhaps still there.
            if let base = try? metadata.record(of: .base) {
                _ = try? pool.control.removeDevice(.uuid(uuid(of: base.deviceID)))
            }
            _ = try? pool.control.removeDevice(.uuid(try poolUUID()))
            throw error
        }
        return (pool, true)
    }

    /// Gets the store alone, as soon as the operations of others have ended.
    ///
    /// - Throws: ``LayerStoreError/Code/busy`` when they take longer than is waited for.
    func isolate(_ holder: StoreLock.Holder) throws {
        // Given up first: two that hold it shared and want it exclusively would wait for each other.
        try holder.unlock(.store)
        try holder.lockStore(within: patience, at: root)
    }
}
