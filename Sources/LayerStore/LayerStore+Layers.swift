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
            return try withPool { pool in
                let state = try stateWithFreeSpace(of: pool)
                return try lock.withLayers([parent, id]) {
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
                    let ticket = try snapshot(origin, parent, in: pool)
                    let record = LayerRecord(
                        deviceID: ticket.id, size: size, transactionID: state.transactionID, isInitialized: false,
                        isDeleted: false, parent: parent.text, created: Int64(time(nil)))
                    try complete(id, record, ticket, isLarger: size > origin.size, in: pool)
                    return record
                }
            }
        }
    }

    /// Grows and registers a layer whose thin device exists; whatever of that fails, neither is left.
    private func complete(
        _ id: LayerID, _ record: LayerRecord, _ ticket: DeviceIDAllocator.Ticket, isLarger: Bool, in pool: ThinPool
    ) throws {
        do {
            if isLarger { try growNewLayer(id, record, in: pool) }
            try metadata.save(record, of: id)
        } catch {
            // A registration that cannot be taken back keeps its device: the next recovery sees which of both is there.
            if (try? metadata.forget(id)) != nil { try discardDevice(of: ticket, in: pool) }
            throw error
        }
        // The layer is there. An allocation that could not be settled is worked out again by a later recovery.
        _ = try? allocator.finish(ticket)
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
            try withPool { pool in
                try lock.withLayers([id]) {
                    guard let record = try metadata.record(of: id) else { return }
                    try deactivate(id)
                    try metadata.beginRemoval(of: id, record)
                    try deleteIfPresent(record.deviceID, in: pool)
                    try metadata.endRemoval(record)
                    _ = unsafe rmdir(directory.mountPoint(of: id).string)
                    mountCounts.withLock { $0[id] = nil }
                }
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
        _ origin: LayerRecord, _ parent: LayerID, in pool: ThinPool
    ) throws -> DeviceIDAllocator.Ticket {
        let device = DeviceReference.uuid(try uuid(of: parent))
        let isActive = try pool.control.informationIfPresent(on: device) != nil
        return try withFreshDeviceID(in: pool) { id in
            try pool.createSnapshot(id, of: origin.deviceID, active: isActive ? device : nil)
        }
    }

    /// Takes numbers until the pool accepts one.
    func withFreshDeviceID(
        in pool: ThinPool, _ create: (ThinDeviceID) throws -> Void
    ) throws -> DeviceIDAllocator.Ticket {
        // Docker, or an earlier crash, may have left numbers in use that no layer has.
        for _ in 0...ThinDeviceID.maximum.value {
            let ticket = try allocator.take()
            do {
                try create(ticket.id)
                return ticket
            } catch let error as DeviceMapperError where error.code == .alreadyExists {
                try allocator.abandon(ticket)
            } catch {
                try discardDevice(of: ticket, in: pool)
                throw error
            }
        }
        throw LayerStoreError(.failed, "the pool has no free device id left")
    }

    /// Deletes the thin device of a layer that could not be completed.
    ///
    /// Where that fails, the number stays in flight, and the next one to open the store alone deletes it.
    func discardDevice(of ticket: DeviceIDAllocator.Ticket, in pool: ThinPool) throws {
        guard (try? deleteIfPresent(ticket.id, in: pool)) != nil else { return }
        try allocator.abandon(ticket)
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
        try checkRootHasSpace()
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

    /// A pool on sparse files fails for good when its metadata finds no space below.
    private func checkRootHasSpace() throws(LayerStoreError) {
        guard configuration.pool.metadataFileSize != nil else { return }
        let free = try BackingFile.freeSpace(under: directory.metadataFile)
        guard free >= Self.rootReserve else {
            throw LayerStoreError(
                .notEnoughSpace,
                "the file system of \(directory.root) has \(ByteSize.decimal(free)) left, and "
                    + "\(ByteSize.decimal(Self.rootReserve)) must be free to make a layer; free space there")
        }
    }

    /// Many times what the metadata of one layer takes.
    private static let rootReserve: UInt64 = 8 << 20
}

extension BlockUsage {
    /// The blocks that must be free so that `percent` of all are.
    func minimumFree(percent: Int) -> UInt64 {
        guard percent > 0 else { return 0 }
        return max(1, total / 100 * UInt64(percent) + total % 100 * UInt64(percent) / 100)
    }
}
