internal import DeviceMapper
internal import LogicalVolumes
internal import SystemCalls
internal import SystemPackage
internal import ThinProvisioning

/// Devices that an operation suspends, and those that a process left suspended when it was killed.
///
/// A process that uses a suspended device waits. So every operation that suspends one does it in ``suspending(_:_:)``:
/// the lock says that the operation is running, and the mark says that a device may be suspended. A mark without a lock
/// means a device that nobody will resume, unless the next operation does.
///
/// A running operation can itself wait for the pool, which another process left suspended. So the pool is also resumed
/// under the lock on tables alone: no operation keeps the pool suspended without that lock. A layer's device is also resumed
/// by the next operation that has the layer's lock (``LayerDevices/active(_:of:)``).
extension StoreCore {
    /// Runs `body`, which suspends a device of the store and resumes it.
    func suspending<Result>(_ holder: StoreLock.Holder, _ body: () throws -> Result) throws -> Result {
        try holder.lock(.suspension, exclusively: false)
        // Where this fails the lock goes with its holder.
        defer { try? holder.unlock(.suspension) }
        try marks.beginSuspension(holder)
        // The mark stays when `body` fails: perhaps the device could not be resumed, and the next operation looks at it.
        let result = try body()
        try marks.endSuspension(holder)
        return result
    }

    /// Runs `body` while nothing else changes the table of the pool or of an active layer.
    ///
    /// `body` may suspend the pool or a layer's device.
    ///
    /// A pool that is a logical volume is protected from lvm2 as well.
    ///
    /// - Throws: The errors of `body`; `LogicalVolumeError` when the lock of the volume group cannot be taken.
    func changingTables<Result>(_ holder: StoreLock.Holder, _ body: (LockedTables) throws -> Result) throws -> Result {
        let tables = try holder.lockTables()
        // Where this fails the lock goes with its holder.
        defer { try? holder.unlock(.capacity) }
        // The process that had this lock before may have died in the middle, and `body` would wait for the pool.
        if try marks.read(holder).suspensions > 0 { try resumePool(tables) }
        return try suspending(holder) {
            guard let volume = try pool.volume() else { return try body(tables) }
            return try volume.withPoolTable { try body(tables) }
        }
    }

    /// Whether a device is suspended although no operation keeps it so.
    ///
    /// An operation that keeps a device suspended has the lock for so long. Nothing is locked to find that out, so both are
    /// asked again and again until a moment, or for half a second: an operation can begin or end between two questions.
    func isLeftSuspended(_ device: DeviceReference, until deadline: Deadline? = nil) throws -> Bool {
        let control = try kernel.control()
        let isRight: Bool? = try waiting(until: deadline ?? .after(.milliseconds(500))) {
            if try locks.isHeld(.suspension) { return true }
            return try control.informationIfPresent(on: device)?.isSuspended == true ? nil : true
        }
        return isRight == nil
    }

    /// Refuses to begin an operation on a pool that a person or another program has suspended: it would wait for the pool as
    /// long as that one does not resume it, or seem to be done while everything that uses a layer stands still.
    ///
    /// The program that made the pool suspends it for its own work, until `deadline` at most.
    ///
    /// - Throws: ``LayerStoreError/Code/busy``.
    func requireRunning(_ pool: ThinPool, until deadline: Deadline) throws {
        guard pool.wasSuspended,
            try isLeftSuspended(.number(pool.number), until: self.pool.named == nil ? nil : deadline)
        else { return }
        throw LayerStoreError(
            .busy,
            "the pool \(pool.name) is suspended, and no operation on the store has done that; everything that uses its layers "
                + "waits. “dmlayer dm resume \(pool.name)” lets it go on")
    }

    /// Resumes what a process left suspended when it died.
    func resumeAbandoned(_ holder: StoreLock.Holder) throws {
        guard try marks.read(holder).suspensions > 0 else { return }
        if try holder.tryLock(.suspension) {
            // Where this fails the lock goes with its holder.
            defer { try? holder.unlock(.suspension) }
            try resumeAll()
            try marks.forgetSuspensions(holder)
        } else if let tables = try holder.tryLockTables() {
            // The same as above.
            defer { try? holder.unlock(.capacity) }
            try resumePool(tables)
        }
    }

    /// Resumes what a process left suspended when it died, for an operation that takes no locks otherwise.
    ///
    /// That costs one read of the lock file where nothing is marked. A device that cannot be resumed now is left to the next
    /// operation on it, which says why.
    func resumeAbandoned() {
        // The operation goes on without: what it cannot do then, it says.
        guard access == .readWrite, let state = try? readMarks(), state.suspensions > 0,
            let holder = try? openLocks()
        else { return }
        // The next operation tries it again.
        try? resumeAbandoned(holder)
    }

    /// Resumes every device of the store that is suspended; the caller knows that no operation keeps one so.
    func resumeAll() throws {
        // The pool first: its thin devices wait for it.
        try pool.resume()
        let control = try kernel.control()
        for (device, _) in try devices.all() where device.isSuspended && device.hasActiveTable {
            do {
                try control.resumeDevice(device.reference)
            } catch {
                // The device of a removed layer may just have gone.
                guard error.code == .noSuchDevice else { throw error }
            }
        }
    }

    /// Resumes the pool if it is suspended; no operation that lives keeps it so, because the caller may change its table.
    private func resumePool(_ tables: LockedTables) throws { try pool.resume() }
}
