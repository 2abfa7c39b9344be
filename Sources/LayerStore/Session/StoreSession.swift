internal import DeviceMapper
internal import ThinProvisioning

/// The stay of one operation in a store whose pool is active: the only way in.
///
/// On the way in, a device that a dead process left suspended is resumed, the pool is activated if that is wanted, and what a
/// dead process left half done is put right. All waits of the operation together end when its patience does.
struct StoreSession {
    let core: StoreCore
    let pool: ThinPool
    let holder: StoreLock.Holder

    /// Runs `body` while this operation has layers.
    ///
    /// - Parameters:
    ///   - core: The store.
    ///   - layers: The layers that no other operation may work on.
    ///   - shared: Layers that no other operation may work on either, but that others may copy at the same time.
    ///   - body: The operation. It gets the layers in the order of `layers`.
    static func run<Result>(
        in core: StoreCore, locking layers: [LayerID] = [], sharing shared: [LayerID] = [],
        _ body: (StoreSession, [LockedLayer]) throws -> Result
    ) throws -> Result {
        try enter(core) { way in
            let pool = try way.join() ?? way.activate()
            let session = StoreSession(core: core, pool: pool, holder: way.holder)
            let locked = try way.holder.lock(layers, sharing: shared)
            try core.requireRunning(pool, until: way.holder.deadline)
            return try body(session, locked)
        }
    }

    /// Runs `body` as ``run(in:locking:sharing:_:)`` does, but activates nothing.
    ///
    /// - Returns: `nil` when the pool is not active.
    static func runIfActive<Result>(
        in core: StoreCore, locking layers: [LayerID] = [], _ body: (StoreSession, [LockedLayer]) throws -> Result
    ) throws -> Result? {
        try enter(core) { way in
            guard let pool = try way.join() else { return nil }
            let session = StoreSession(core: core, pool: pool, holder: way.holder)
            return try body(session, way.holder.lock(layers))
        }
    }

    /// Runs `body` with the store for this operation alone; the pool may not be active.
    static func runAlone<Result>(
        in core: StoreCore, _ body: (StoreAlone, StoreLock.Holder) throws -> Result
    ) throws -> Result {
        let holder = try core.openLocks()
        return try withExtendedLifetime(holder) { try body(holder.lockAlone(), holder) }
    }

    /// The pool, activated and recovered if it was not active, for an operation that has the store alone.
    static func poolAlone(in core: StoreCore, _ alone: StoreAlone, _ holder: StoreLock.Holder) throws -> ThinPool {
        var way = WayIn(core: core, holder: holder)
        return try way.activePool(alone)
    }

    /// Runs `body` with a holder of locks, and after that what the recovery has left to do behind its caller.
    private static func enter<Result>(_ core: StoreCore, _ body: (inout WayIn) throws -> Result) throws -> Result {
        var way = WayIn(core: core, holder: try core.openLocks())
        defer {
            way.holder.close()
            // Without a lock, and also where `body` failed: the removals that waited when the machine or a process stopped.
            if way.hasRecovered { core.removals.schedule() }
        }
        return try body(&way)
    }

    /// Runs `body` while nothing else changes the table of the pool or of an active layer.
    func changingTables<Result>(_ body: (LockedTables) throws -> Result) throws -> Result {
        try core.changingTables(holder, body)
    }

    /// Runs `body`, which suspends a device of the store and resumes it.
    func suspending<Result>(_ body: () throws -> Result) throws -> Result { try core.suspending(holder, body) }
}

/// How an operation gets into a store.
private struct WayIn {
    let core: StoreCore
    let holder: StoreLock.Holder
    /// Whether removals may wait that nobody ends.
    private(set) var hasRecovered = false

    init(core: StoreCore, holder: StoreLock.Holder) {
        self.core = core
        self.holder = holder
    }

    /// Takes part in the store.
    ///
    /// - Returns: `nil` when the pool is not active; the store is held shared in both cases.
    mutating func join() throws -> ThinPool? {
        if core.access == .readWrite {
            // Read first, so that a layer of this process that is ready in between has no mark any more.
            let own = core.numbers.inMakingHere
            let state = try core.marks.read(holder)
            // A device that cannot be resumed concerns the operations on it, and not all others.
            if state.suspensions > 0 { try? core.resumeAbandoned(holder) }
            // Before the store is taken: operations that come at once would keep each other from the recovery.
            if state.hasLayersInMaking(except: own) { return try recoverIfNeeded() }
        }
        try holder.lock(.store, exclusively: false)
        return try core.pool.active()
    }

    /// Puts right what a dead process left, unless the mark belongs to an operation that is at work.
    ///
    /// The store is to be had alone only if no operation is in it. The operations that come in meanwhile, and see the mark, wait
    /// for this one at the entry, outside of the store.
    private mutating func recoverIfNeeded() throws -> ThinPool? {
        try holder.lock(.entry, exclusively: true)
        if let alone = try holder.tryLockAlone(), let pool = try core.pool.active(),
            try core.marks.read(holder).hasLayersInMaking(except: core.numbers.inMakingHere)
        {
            try StoreRecovery(core).run(pool, alone, holder)
            hasRecovered = true
        }
        try holder.lock(.store, exclusively: false)
        try holder.unlock(.entry)
        // Without the lock for a moment: the pool may have been taken down, and its number given to another device.
        return try core.pool.active()
    }

    /// Takes part in the store after its pool has been activated.
    mutating func activate() throws -> ThinPool {
        let activated = try activePool(holder.lockAlone())
        try holder.lock(.store, exclusively: false)
        return activated
    }

    /// The pool, activated and recovered if it was not active.
    mutating func activePool(_ alone: StoreAlone) throws -> ThinPool {
        // Another process may have activated it while this one waited.
        if let active = try core.pool.active() { return active }
        let pool = try core.activatePool(alone)
        guard core.access == .readWrite else { return pool }
        do {
            try StoreRecovery(core).run(pool, alone, holder)
        } catch {
            // A pool that could not be recovered is not offered for use. The base device was looked at, and is perhaps still
            // active. The first failure is the one to report.
            if let base = try? core.registry.record(of: .base) {
                // The first failure is the one to report.
                _ = try? core.devices.failure(removing: base.deviceID)
            }
            // The first failure is the one to report.
            _ = try? core.pool.remove(core.devices)
            throw error
        }
        hasRecovered = true
        return pool
    }
}
