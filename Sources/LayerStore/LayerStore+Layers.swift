internal import DeviceMapper
internal import Glibc
internal import SystemPackage
internal import Synchronization
internal import ThinProvisioning

extension LayerStore {
    /// Makes a layer as a snapshot of another.
    ///
    /// The layer is on the disk when the call returns; that costs one commit of the pool and two synchronisations of
    /// files. A parent that is mounted is frozen for the moment of the snapshot.
    ///
    /// - Parameters:
    ///   - id: The id of the new layer.
    ///   - parent: What to copy; `nil` takes the base device, that is, an empty file system.
    ///   - size: The size in bytes, at least the parent's; `nil` takes the parent's. The file system grows with it.
    /// - Returns: What the store keeps about the layer.
    /// - Throws: ``LayerStoreError/Code/layerExists``, ``LayerStoreError/Code/noSuchLayer`` for the parent,
    ///   ``LayerStoreError/Code/sizeTooSmall``, ``LayerStoreError/Code/notEnoughSpace``.
    @discardableResult
    public func create(
        _ id: LayerID, parent: LayerID? = nil, size: UInt64? = nil
    ) throws(LayerStoreError) -> LayerRecord {
        try attempting("create layer \(id)") {
            let parent = parent ?? .base
            _ = try directory.deviceName(of: id)
            return try withPool(layers: [parent, id]) { pool, holder in
                let state = try stateWithFreeSpace(of: pool)
                let origin = try existing(parent, as: "the parent layer")
                guard try metadata.record(of: id) == nil else {
                    throw LayerStoreError(.layerExists, "there is a layer \(id) already")
                }
                let size = size ?? origin.size
                guard size >= origin.size else {
                    throw LayerStoreError(
                        .sizeTooSmall,
                        "\(ByteSize.decimal(size)) is smaller than its parent \(parent) with "
                            + ByteSize.decimal(origin.size))
                }
                let ticket = try snapshot(origin, parent, in: pool, holder)
                do {
                    let record = LayerRecord(
                        deviceID: ticket.id, size: size, transactionID: state.transactionID, isInitialized: false,
                        isDeleted: false, parent: parent.text, created: Int64(time(nil)))
                    if size > origin.size { try growNewLayer(id, record, in: pool) }
                    try metadata.save(record, of: id)
                    try allocator.finish(ticket, holder)
                    return record
                } catch {
                    try discardDevice(of: ticket, in: pool, holder)
                    throw error
                }
            }
        }
    }

    /// Removes a layer and frees the blocks that no other layer shares; layers made from it stay what they are.
    ///
    /// Removing what does not exist succeeds. The removal costs one commit of the pool and one synchronisation.
    ///
    /// - Throws: ``LayerStoreError/Code/busy`` when the layer is in use, with who uses it.
    public func remove(_ id: LayerID) throws(LayerStoreError) {
        try attempting("remove layer \(id)") {
            // Answered before the pool is touched: nothing needs to be active to find that there is nothing.
            guard try metadata.record(of: id) != nil else { return }
            try withPool(layers: [id]) { pool, holder in
                guard let record = try metadata.record(of: id) else { return }
                try deactivate(id)
                try allocator.enter(holder)
                try metadata.beginRemoval(of: id, record)
                try deleteIfPresent(record.deviceID, in: pool)
                try metadata.endRemoval(record)
                // Not after a failure: the next one to be alone with the store ends the removal then.
                try allocator.leave(holder)
                _ = unsafe rmdir(directory.mountPoint(of: id).string)
                mountCounts.withLock { $0[id] = nil }
            }
        }
    }

    /// The record of a layer that must exist.
    func existing(_ id: LayerID, as role: String = "the layer") throws -> LayerRecord {
        guard let record = try metadata.record(of: id), !record.isDeleted else {
            throw LayerStoreError(.noSuchLayer, "\(role) \(id) does not exist")
        }
        return record
    }

    /// Makes a thin device as a copy of `origin`, with a number that was free.
    private func snapshot(
        _ origin: LayerRecord, _ parent: LayerID, in pool: ThinPool, _ holder: StoreLock.Holder
    ) throws -> DeviceIDAllocator.Ticket {
        let device = DeviceReference.uuid(try uuid(of: parent))
        let isActive = try pool.control.informationIfPresent(on: device) != nil
        return try withFreshDeviceID(in: pool, holder) { id in
            try pool.createSnapshot(id, of: origin.deviceID, active: isActive ? device : nil)
        }
    }

    /// Takes numbers until the pool accepts one.
    func withFreshDeviceID(
        in pool: ThinPool, _ holder: StoreLock.Holder, _ create: (ThinDeviceID) throws -> Void
    ) throws -> DeviceIDAllocator.Ticket {
        // Docker, or an earlier crash, may have left numbers in use that no layer has.
        for _ in 0...ThinDeviceID.maximum.value {
            let ticket = try allocator.take(holder)
            do {
                try create(ticket.id)
                return ticket
            } catch let error as DeviceMapperError where error.code == .alreadyExists {
                try allocator.abandon(ticket, holder)
            } catch {
                try discardDevice(of: ticket, in: pool, holder)
                throw error
            }
        }
        throw LayerStoreError(.failed, "the pool has no free device id left")
    }

    /// Deletes the thin device of a layer that could not be completed.
    ///
    /// Where that fails, the number stays in flight, and the next one to open the store alone deletes it.
    func discardDevice(
        of ticket: DeviceIDAllocator.Ticket, in pool: ThinPool, _ holder: StoreLock.Holder
    ) throws {
        guard (try? deleteIfPresent(ticket.id, in: pool)) != nil else { return }
        try allocator.abandon(ticket, holder)
    }

    func deleteIfPresent(_ id: ThinDeviceID, in pool: ThinPool) throws(DeviceMapperError) {
        do {
            try pool.deleteDevice(id)
        } catch  where error.code == .noSuchThing {
            return
        }
    }

    /// The pool's state, if it can take another layer.
    ///
    /// - Throws: ``LayerStoreError/Code/notEnoughSpace`` below the share that is kept free.
    func stateWithFreeSpace(of pool: ThinPool) throws -> ThinPoolState {
        guard case .available(let state) = try pool.status() else {
            throw LayerStoreError(
                .failed, "the pool \(pool.name) has failed; its metadata must be checked and repaired")
        }
        guard state.mode != .readOnly else {
            let advice = state.needsCheck ? "; its metadata must be checked and repaired" : ""
            throw LayerStoreError(.failed, "the pool \(pool.name) is read-only\(advice)")
        }
        for (what, usage) in [("data", state.data), ("metadata", state.metadata)] {
            let minimum = usage.minimumFree(percent: configuration.minimumFreeSpacePercent)
            guard usage.free >= minimum else {
                throw LayerStoreError(
                    .notEnoughSpace,
                    "the pool has \(usage.free) free \(what) blocks, and \(minimum) "
                        + "(dm.min_free_space=\(configuration.minimumFreeSpacePercent)%) must be free to make a layer; "
                        + "remove layers or enlarge the pool")
            }
        }
        return state
    }
}

extension BlockUsage {
    /// The blocks that must be free so that `percent` of all are.
    func minimumFree(percent: Int) -> UInt64 {
        guard percent > 0 else { return 0 }
        return max(1, total / 100 * UInt64(percent) + total % 100 * UInt64(percent) / 100)
    }
}
