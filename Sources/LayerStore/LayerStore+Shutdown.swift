internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import Glibc
internal import Synchronization
internal import ThinProvisioning

extension LayerStore {
    /// Unmounts every layer, ends the removals that wait, and removes the pool's device; the files stay.
    ///
    /// - Parameter losingFiles: Whether the pool is taken down as well where it has the last copy of a file that was deleted or
    ///   replaced; the content is gone then.
    /// - Throws: ``LayerStoreError/Code/busy`` with who uses a layer; the others are down then, and the pool is not.
    ///   ``LayerStoreError/Code/backingStore`` where the pool has the last copy of a file.
    public func shutdown(losingFiles: Bool = false) throws(LayerStoreError) {
        try attempting("shut the store down") {
            try requireNoService()
            guard let pool = try activePool() else { return }
            if !losingFiles { try requireLastCopies(of: pool) }
            // What fails, or waits, is done when the pool is active again.
            if access == .readWrite { _ = try? endRemovals() }
            let holder = try lock.open()
            defer { withExtendedLifetime(holder) {} }
            try isolate(holder)
            // One may have begun while this waited; before it promises anything it waits for this to end.
            try requireNoService()
            // Who changes the table of the pool, as its monitor does, knows it by its number.
            try holder.lock(.capacity, exclusively: true)
            guard let pool = try activePool() else { return }
            if !losingFiles { try requireLastCopies(of: pool) }
            if access == .readWrite, try allocator.hasUnfinished(holder) { try recover(pool, holder) }
            try deactivateAll(pool)
            if access == .readWrite { try keepLostWrites(of: pool) }
            if configuration.pool.poolDevice == nil {
                if let error = try failure(removing: try poolUUID(), pool.control) { throw error }
            }
            mountCounts.withLock { $0 = [:] }
        }
    }

    private func requireLastCopies(of pool: ThinPool) throws {
        try requireFiles(of: pool, " Taking the pool down destroys it, and only “shutdown --force” does that.")
    }

    /// Takes every layer and the base device down.
    private func deactivateAll(_ pool: ThinPool) throws {
        var failures: [LayerStoreError] = []
        for device in try pool.control.devices(withPrefix: directory.devicePrefix) where device.number != pool.number {
            guard let information = try pool.control.informationIfPresent(on: .number(device.number)),
                let number = thinDevice(information.uuid)
            else { continue }
            let name = String(device.name.description.dropFirst(directory.devicePrefix.count))
            do {
                if let id = name == LayerID.base.text ? .base : try? LayerID(name) {
                    try deactivate(id, number)
                } else {
                    try awaitRemoval(of: information, pool.control)
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
    private func awaitRemoval(of device: DeviceInformation, _ control: Control) throws {
        let deadline = ContinuousClock.now.advanced(by: patience)
        while let present = try control.informationIfPresent(on: .number(device.number)), present.uuid == device.uuid {
            if present.openCount == 0, try removeWhenClosed(device.uuid, control) { return }
            guard ContinuousClock.now < deadline else {
                throw LayerStoreError(
                    .busy,
                    "a layer that was removed is still in use by "
                        + DeviceUser.users(of: device.number).map(LayerUser.init).sentence)
            }
            usleep(20_000)
        }
    }
}
