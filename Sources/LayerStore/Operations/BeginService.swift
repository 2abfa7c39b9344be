internal import DeviceMapper
internal import Filesystems
internal import SystemCalls
internal import SystemPackage
internal import ThinProvisioning

/// Begins to serve a store's snapshots, and puts in order what an earlier service left.
struct BeginService {
    let core: StoreCore

    func run() throws {
        try core.requireWritable()
        try core.service.claim()
        do {
            // Operations that were allowed while no service had the snapshots are over then.
            try StoreSession.runAlone(in: core) { _, _ in try requireAbandoned() }
            try emptyBaseDevice()
            try takeDownCommitted()
        } catch {
            core.service.release()
            throw error
        }
    }

    /// Refuses to serve layers of another program that are active as its own mapped devices.
    ///
    /// The program has run since its layers were taken over. It may have given the number of a removed one to a new one, and two
    /// mapped devices of one thin device would each have a cache of their own.
    private func requireAbandoned() throws {
        guard core.configuration.isAdopted, let pool = try core.pool.active() else { return }
        let layers = try core.registry.layersByDevice()
        let own = Set(try core.devices.all().map(\.device.number))
        for device in try PoolContent.activeDevices(in: pool) where !own.contains(device.number) {
            guard let layer = layers[device.thinDevice] else { continue }
            throw LayerStoreError(
                .foreignDevice,
                "the device \(device.name) is on the thin device \(device.thinDevice), which is the layer \(layer): containerd has "
                    + "used its own snapshotter since “dmlayer snapshot adopt”. Remove \(core.directory.root), and run that again"
            )
        }
    }

    /// Takes down what a service left active that died between a commit and its end.
    private func takeDownCommitted() throws {
        let layers = try core.registry.layersByDevice()
        for (_, number) in try core.devices.all() {
            guard let id = layers[number], id != .base else { continue }
            // An operation that has its lock, as a reader has while it makes the device its own, takes it down as well.
            let holder = try core.openLocks()
            guard try holder.tryLock(id) != nil else { continue }
            // A file that cannot be understood says nothing, and the layer stays as it is. A device that cannot be removed is
            // looked at when the layer is used next.
            guard let record = try? core.registry.record(of: id), record.snapshot?.kind == .committed else { continue }
            _ = try? core.devices.removeWhenClosed(record.deviceID)
        }
    }

    /// Takes the directory that mkfs puts into every ext4 out of the base device: a container image does not have it.
    private func emptyBaseDevice() throws {
        // A store that lost its base device, or has no room for one, serves the snapshots that it has.
        guard core.configuration.filesystem == .ext4, try core.registry.record(of: .base)?.isInitialized == true
        else { return }
        try StoreSession.run(in: core, locking: [.base]) { session, layers in
            let (base, pool) = (layers[0], session.pool)
            let record = try core.existing(.base)
            // A process that was killed may have left it.
            try core.mounts.takeDown(base, record.deviceID)
            guard try hasLostAndFound(base, record, in: pool) else { return }
            // The device through which it was read is on its way out.
            if let error = try core.devices.failure(removing: record.deviceID) { throw error }
            let device = try core.devices.activate(record, of: base, in: pool)
            let mount = try core.mounts.detached(device, .readWrite, removing: record.deviceID)
            try withExtendedLifetime(mount) {
                _ = try systemCall { unsafe unlinkat(mount.root.rawValue, "lost+found", AT_REMOVEDIR) }
            }
        }
    }

    /// Reads the base device only, so that it goes on sharing every block with what was made from it.
    private func hasLostAndFound(_ base: LockedLayer, _ record: LayerRecord, in pool: ThinPool) throws -> Bool {
        let (_, mount) = try core.mounts.forReading(base, record, in: pool)
        return withExtendedLifetime(mount) {
            // A name that cannot be looked for is not there.
            (try? systemCall { unsafe faccessat(mount.root.rawValue, "lost+found", F_OK, AT_SYMLINK_NOFOLLOW) }) != nil
        }
    }
}
