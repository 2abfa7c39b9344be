internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage
internal import ThinProvisioning

/// Where the pool's count of events stood when a snapshot was made.
///
/// What a layer's file system writes behind the back of its writers can fail and is reported to nobody. So a snapshot is not
/// committed when its pool was in a mode meanwhile in which writes fail, also when the pool is well again.
struct PoolEventMark: Hashable, Sendable, Codable {
    /// The start of the machine in which it was counted; the count of another one says nothing.
    var boot: String
    /// The number of the pool's last event.
    var number: UInt32

    static let thisBoot = (try? PseudoFile.readLine("/proc/sys/kernel/random/boot_id")) ?? ""
}

extension LayerStore {
    /// Where the pool's count of events stands now.
    func eventMark(of pool: ThinPool) throws -> PoolEventMark {
        PoolEventMark(
            boot: PoolEventMark.thisBoot, number: try pool.control.information(on: .number(pool.number)).eventNumber)
    }

    /// Puts on the disk what was written to a snapshot, and checks that no write to it can have failed since it was made.
    ///
    /// - Parameter write: Brings what is still in memory to the device.
    /// - Throws: ``LayerStoreError/Code/lostWrites``.
    func requireAllWrites(
        _ id: LayerID, _ record: LayerRecord, in pool: ThinPool, _ write: () throws -> Void
    ) throws {
        let failure: (any Error)?
        do {
            try write()
            failure = nil
        } catch {
            failure = error
        }
        // Asked first, as it knows why.
        if let reason = try lossOfWrites(record.snapshot, in: pool) { throw Self.lostWrites(reason, failure) }
        guard let failure else { return }
        guard var snapshot = record.snapshot else { throw failure }
        // The kernel reports a failed write once, and the next commit must be refused as well. If the note cannot be
        // written, this commit is refused all the same.
        snapshot.hasLostWrites = true
        var noted = record
        noted.snapshot = snapshot
        _ = try? metadata.save(noted, of: id)
        throw Self.lostWrites("writes to its device failed", failure)
    }

    private static func lostWrites(_ reason: String, _ failure: (any Error)?) -> LayerStoreError {
        LayerStoreError(
            .lostWrites,
            "\(reason), so what was written to it may be lost although nobody was told. Remove the snapshot and make it again; "
                + "for an image, pull it again", underlying: failure)
    }

    /// How writes to a snapshot may have been lost; `nil` when none were.
    private func lossOfWrites(_ snapshot: SnapshotRecord?, in pool: ThinPool) throws -> String? {
        guard let snapshot else { return nil }
        if snapshot.hasLostWrites == true { return "writes to its device failed earlier" }
        // Made by a version that did not note it.
        guard let mark = snapshot.poolEvents else { return nil }
        let now = try eventMark(of: pool)
        // After an activation the count has begun again, and all of it is since then.
        let goesOn = now.boot == mark.boot && now.number >= mark.number
        let count = Int(goesOn ? now.number - mark.number : now.number)
        guard count > 0 else { return nil }
        guard let events = ThinPoolEvent.last(count, of: pool.number) else {
            return
                "the pool \(pool.name) has had \(count) events since it was made, and the kernel's log does not tell any more "
                + "whether writes failed"
        }
        guard let event = events.first(where: \.losesWrites), case .mode(let mode) = event else { return nil }
        return "the pool \(pool.name) was in the mode “\(mode)” since it was made"
    }

    /// Notes in the snapshots that are being written what the count of events says of them, before it begins again.
    func keepLostWrites(of pool: ThinPool) throws {
        let now = try eventMark(of: pool)
        for (name, record) in try metadata.records() {
            // A file that cannot be understood says nothing, and stays as it is.
            guard var record = try? record.get(), let id = try? LayerID(name), let snapshot = record.snapshot,
                snapshot.kind == .active, snapshot.hasLostWrites != true, let mark = snapshot.poolEvents
            else { continue }
            let isLost = try lossOfWrites(snapshot, in: pool) != nil
            guard isLost || mark.number != 0 || mark.boot != now.boot else { continue }
            record.snapshot?.hasLostWrites = isLost ? true : nil
            record.snapshot?.poolEvents = PoolEventMark(boot: now.boot, number: 0)
            try metadata.save(record, of: id)
        }
    }
}
