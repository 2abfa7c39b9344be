internal import DeviceMapper
internal import SystemCalls
internal import SystemPackage
internal import ThinProvisioning

/// Makes a layer as a snapshot of another, or of the base device.
struct CreateLayer {
    let core: StoreCore

    /// Makes a layer that has Docker's layout.
    func run(_ id: LayerID, parent: LayerID?, size: UInt64?) throws -> LayerRecord {
        try run(id, parent: parent, size: size) { _, _, _ in try requireDockerLayout(of: parent) }
    }

    /// Refuses to make one of Docker's layers from one of containerd's snapshots, whose content is at another place.
    private func requireDockerLayout(of parent: LayerID?) throws {
        guard let parent, let snapshot = try core.registry.record(of: parent)?.snapshot else { return }
        throw LayerStoreError(
            .failed,
            "its parent \(parent) is containerd's snapshot “\(snapshot.key)”; make a snapshot of it through containerd")
    }

    /// Makes a layer.
    ///
    /// - Parameter complete: Completes the layer before it is registered. A device that this activates goes away if the layer
    ///   cannot be registered.
    func run(
        _ id: LayerID, parent: LayerID?, size: UInt64?,
        _ complete: (inout LayerRecord, LockedLayer, ThinPool) throws -> Void
    ) throws -> LayerRecord {
        try core.requireWritable()
        let parent = parent ?? .base
        guard try core.identity.name(of: id) != core.identity.poolName() else {
            throw LayerStoreError(
                .invalidLayerID,
                "“\(id)” cannot be a layer id: the device of the pool has this name; take another one")
        }
        // Many layers are made of one parent at the same time.
        return try StoreSession.run(in: core, locking: [id], sharing: [parent]) { session, layers in
            let state = try core.gate.require(session.pool)
            let (origin, active) = try origin(parent, of: id, session)
            let size = try self.size(size, of: id, parent, origin)
            let ticket = try snapshot(origin, active, session)
            do {
                var record = LayerRecord(
                    deviceID: ticket.id, size: size, transactionID: state.transactionID, isInitialized: false,
                    isDeleted: false, parent: parent.text, created: Int64(time(nil)))
                if size > origin.size { try grow(record, layers[0], session.pool) }
                try complete(&record, layers[0], session.pool)
                try core.registry.save(record, of: id)
                try core.numbers.finish(ticket, session.holder, isLast: true)
                return record
            } catch {
                // The recovery takes back the rest, where this fails. The first failure is the one to report.
                try? undo(ticket, id, session)
                throw error
            }
        }
    }

    /// Takes back a layer that could not be completed.
    ///
    /// Where its file cannot be taken back, the thin device stays and the number keeps its mark: the recovery finds both.
    private func undo(_ ticket: DeviceNumbers.Ticket, _ id: LayerID, _ session: StoreSession) throws {
        do {
            // The registration may have got as far as the file's name.
            try core.registry.forget(id)
        } catch {
            core.numbers.forget(ticket)
            throw error
        }
        // A device that stays keeps its thin device from being deleted, and that is left to the recovery as well.
        _ = try? core.devices.failure(removing: ticket.id)
        try core.numbers.discard(ticket, in: session.pool, session.holder)
    }

    /// The size of the new layer in bytes: whole sectors, and not less than its parent's.
    private func size(
        _ asked: UInt64?, of id: LayerID, _ parent: LayerID, _ origin: LayerRecord
    ) throws(LayerStoreError) -> UInt64 {
        guard let asked else { return origin.size }
        let size = try Sectors.rounded(asked)
        guard size >= origin.size else {
            throw LayerStoreError(
                .sizeTooSmall,
                "\(ByteSize.decimal(size)) is smaller than its parent \(parent) with \(ByteSize.decimal(origin.size)); give at "
                    + "least \(origin.size) bytes, or no size for that of the parent")
        }
        return size
    }

    private func grow(_ record: LayerRecord, _ layer: LockedLayer, _ pool: ThinPool) throws {
        try core.mounts.whileMounted(layer, record, in: pool) { mountPoint in
            try ResizeLayer(core: core).growFilesystem(at: mountPoint, to: record.size)
        }
    }

    /// The layer to copy, and its device if that is active; then no other operation works on the layer any more.
    private func origin(
        _ parent: LayerID, of id: LayerID, _ session: StoreSession
    ) throws -> (LayerRecord, DeviceInformation?) {
        var isAlone = false
        while true {
            let origin = try core.existing(parent, as: "the parent layer")
            guard parent != .base || origin.isInitialized else {
                throw LayerStoreError(
                    .notInitialized,
                    "the base device has no file system, because its making was interrupted; “dmlayer init” completes it"
                )
            }
            guard try core.registry.record(of: id) == nil else {
                throw LayerStoreError(.layerExists, "there is a layer \(id) already")
            }
            // A device that nobody has open and that the kernel is about to remove, as after a commit, has nothing in flight.
            let active = try core.devices.present(origin.deviceID)
                .flatMap { $0.isRemovalDeferred && $0.openCount == 0 ? nil : $0 }
            if active == nil || isAlone { return (origin, active) }
            // It has to be suspended, which only one operation can do at a time.
            for layer in [parent, id] { try session.holder.unlock(.layer(layer)) }
            try session.holder.lock([parent, id])
            isAlone = true
        }
    }

    /// Makes a thin device as a copy of `origin`, with a new number.
    private func snapshot(
        _ origin: LayerRecord, _ active: DeviceInformation?, _ session: StoreSession
    ) throws -> DeviceNumbers.Ticket {
        let pool = session.pool
        // Of a device that is read-only nothing is in flight. A device that is about to go away must stay until the copy is made.
        let isActive = try active.map { try !$0.isReadOnly && core.devices.cancelRemoval(of: $0) } ?? false
        guard isActive else {
            return try makeDevice(session, of: origin) { try pool.createSnapshot($0, of: origin.deviceID, active: nil) }
        }
        defer {
            // Where this fails the device stays active, which the next operation on the layer sees.
            if active?.isRemovalDeferred == true { _ = try? core.devices.removeWhenClosed(origin.deviceID) }
        }
        let device = DeviceReference.uuid(try core.identity.uuid(of: origin.deviceID))
        return try session.suspending {
            try makeDevice(session, of: origin) { try pool.createSnapshot($0, of: origin.deviceID, active: device) }
        }
    }

    private func makeDevice(
        _ session: StoreSession, of origin: LayerRecord, _ create: (ThinDeviceID) throws -> Void
    ) throws -> DeviceNumbers.Ticket {
        let pool = core.pool
        do {
            return try core.numbers.makeDevice(
                in: session.pool, metadata: { try pool.metadataDevice(of: session.pool) }, session.holder, create)
        } catch let error as DeviceMapperError where error.code == .noSuchThing {
            let isBase = origin.isInitialized
            throw LayerStoreError(
                .noSuchLayer,
                (isBase ? "the base device is lost" : "the content of the parent layer is lost")
                    + ": the pool does not have the thin device \(origin.deviceID). "
                    + (isBase
                        ? "“dmlayer check --repair --forget base” and then “dmlayer init” make a new one"
                        : "“dmlayer check” says what to do"),
                underlying: error)
        }
    }
}
