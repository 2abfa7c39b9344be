internal import BlockDevices
internal import DeviceMapper
internal import SystemCalls
internal import ThinProvisioning

/// Takes a store down: every layer, and the pool's device; the files stay.
struct ShutDown {
    let core: StoreCore

    /// - Parameter losingFiles: Whether the pool is taken down as well where it has the last copy of a file that was deleted
    ///   or replaced.
    func run(losingFiles: Bool) throws {
        try core.service.requireNone()
        core.resumeAbandoned()
        let isActive: Void? = try core.readingPoolIfActive { pool in
            if !losingFiles { try requireLastCopies(of: pool) }
        }
        guard isActive != nil else { return }
        // A removal that fails, or waits, is ended when the pool is active again.
        if core.access == .readWrite { _ = try? RemoveLayer(core: core).endAll() }
        try StoreSession.runAlone(in: core) { alone, holder in
            // A service may have begun while this waited; before it promises anything it waits for this to end.
            try core.service.requireNone()
            // An operation that changes the table of the pool, as its monitor does, knows it by its number.
            let tables = try holder.lockTables()
            guard let pool = try core.pool.active() else { return }
            if !losingFiles { try requireLastCopies(of: pool) }
            if core.access == .readWrite, try core.marks.read(holder).hasLayersInMaking() {
                try StoreRecovery(core).run(pool, alone, holder)
            }
            try takeDownAll(pool, alone, holder)
            try takePoolDown(pool, tables)
            // Of processes that were killed while they wrote.
            if core.access == .readWrite { try core.registry.removeTemporaryFiles() }
        }
    }

    /// Removes the pool's device where the store made it; the files stay.
    ///
    /// - Throws: The kernel's error when a program has the pool open.
    func takePoolDown(_ pool: ThinPool, _ tables: LockedTables) throws {
        // The pool's count of events begins again with its next activation.
        if core.access == .readWrite { try LostWrites(core: core).keep(of: pool) }
        if let error = try core.pool.remove(core.devices) { throw error }
    }

    private func requireLastCopies(of pool: ThinPool) throws {
        try core.pool.backing.requireFiles(
            of: pool, " Taking the pool down destroys it, and only “shutdown --force” does that.")
    }

    /// Takes every layer and the base device down.
    private func takeDownAll(_ pool: ThinPool, _ alone: StoreAlone, _ holder: StoreLock.Holder) throws {
        var failures: [LayerStoreError] = []
        let layers = try core.registry.layersByDevice()
        for (device, number) in try core.devices.all() where device.number != pool.number {
            do {
                // A device of a layer is found by its uuid, whatever its name is.
                if let id = layers[number] ?? core.identity.layer(device.name) {
                    try core.mounts.takeDown(alone.layer(id), number)
                } else {
                    try awaitRemoval(of: device, number, until: holder.deadline)
                }
            } catch let error as LayerStoreError {
                failures.append(error)
            }
        }
        if let failure = failures.first {
            throw LayerStoreError(failure.code, failures.map(\.reason).joined(separator: "; "), underlying: failure)
        }
    }

    /// Waits until the device of a removed layer has gone, which another process may be emptying.
    private func awaitRemoval(of device: DeviceInformation, _ number: ThinDeviceID, until deadline: Deadline) throws {
        let isGone: Bool? = try waiting(until: deadline) {
            guard let present = try core.devices.present(number) else { return true }
            return try present.openCount == 0 && core.devices.removeWhenClosed(number) ? true : nil
        }
        guard isGone == nil else { return }
        throw LayerStoreError(
            .busy, "a layer that was removed is still in use by \(core.devices.users(of: device.number).sentence)")
    }
}
