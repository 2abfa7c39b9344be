internal import DeviceMapper
internal import ThinProvisioning

/// Whether writes to a snapshot may have failed without anybody being told.
struct LostWrites {
    let core: StoreCore

    /// Puts on the disk what was written to a snapshot, and checks that no write to it can have failed since it was made.
    ///
    /// - Parameter write: Brings what is still in memory to the device.
    /// - Throws: ``LayerStoreError/Code/lostWrites``.
    func requireNone(
        _ id: LayerID, _ record: LayerRecord, in pool: ThinPool, _ write: () throws -> Void
    ) throws {
        let failure: (any Error)?
        do {
            try write()
            failure = nil
        } catch {
            failure = error
        }
        // The pool is asked first, as it knows why a write failed.
        if let reason = try reason(record.snapshot, in: pool) { throw Self.error(reason, failure) }
        guard let failure else { return }
        guard var snapshot = record.snapshot else { throw failure }
        // The kernel reports a failed write once, and the next commit must be refused as well. If the note cannot be
        // written, this commit is refused all the same.
        snapshot.hasLostWrites = true
        var noted = record
        noted.snapshot = snapshot
        // A note that cannot be written does not help this commit, which is refused.
        _ = try? core.registry.save(noted, of: id)
        throw Self.error("writes to its device failed", failure)
    }

    private static func error(_ reason: String, _ failure: (any Error)?) -> LayerStoreError {
        LayerStoreError(
            .lostWrites,
            "\(reason), so what was written to it may be lost although nobody was told. Remove the snapshot and make it again; "
                + "for an image, pull it again", underlying: failure)
    }

    /// How writes to a snapshot may have been lost; `nil` when none were.
    private func reason(_ snapshot: SnapshotRecord?, in pool: ThinPool) throws -> String? {
        guard let snapshot else { return nil }
        if snapshot.hasLostWrites == true { return "writes to its device failed earlier" }
        // A version of this program that did not note the events made it.
        return try snapshot.poolEvents?.loss(in: pool)
    }

    /// Notes in the snapshots that are being written whether they have lost writes, before the pool's count begins again.
    func keep(of pool: ThinPool) throws {
        let now = try PoolEventMark(of: pool)
        for (name, record) in try core.registry.records() {
            // A file that cannot be understood says nothing, and stays as it is.
            guard var record = try? record.get(), let id = try? LayerID(name), let snapshot = record.snapshot,
                snapshot.kind == .active, snapshot.hasLostWrites != true, let mark = snapshot.poolEvents
            else { continue }
            let isLost = try reason(snapshot, in: pool) != nil
            guard isLost || mark.number != 0 || mark.boot != now.boot else { continue }
            record.snapshot?.hasLostWrites = isLost ? true : nil
            record.snapshot?.poolEvents = PoolEventMark(boot: now.boot, number: 0)
            try core.registry.save(record, of: id)
        }
    }
}
