internal import DeviceMapper
internal import Glibc
internal import SystemPackage
internal import Synchronization
internal import ThinProvisioning

extension LayerStore {
    /// Makes a layer as a snapshot of another.
    ///
    /// The layer is on the disk when the call returns; that costs one commit of the pool and one synchronisation,
    /// or two where the root is not on ext4 or XFS. A parent that is mounted is frozen for the moment of the snapshot.
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
        try create(id, parent: parent, size: size) { _, _ in try requireDockerLayout(of: parent) }
    }

    /// Refuses to make one of Docker's layers from one of containerd's snapshots, whose content is at another place.
    private func requireDockerLayout(of parent: LayerID?) throws {
        guard let parent, let snapshot = try metadata.record(of: parent)?.snapshot else { return }
        throw LayerStoreError(
            .failed,
            "its parent \(parent) is containerd's snapshot “\(snapshot.key)”; make a snapshot of it through containerd")
    }

    /// Makes a layer as a snapshot of another.
    ///
    /// - Parameter complete: What belongs to the layer besides, and is done before it is registered. A device that this
    ///   activates goes away if the layer cannot be registered.
    func create(
        _ id: LayerID, parent: LayerID?, size: UInt64?, _ complete: (inout LayerRecord, ThinPool) throws -> Void
    ) throws(LayerStoreError) -> LayerRecord {
        try attempting("create layer \(id)") {
            try requireWritable()
            let parent = parent ?? .base
            guard try directory.deviceName(of: id) != directory.poolName() else {
                throw LayerStoreError(
                    .invalidLayerID,
                    "“\(id)” cannot be a layer id: the device of the pool has this name; take another one")
            }
            // Many layers are made of one parent at the same time.
            return try withPool(layers: [id], sharing: [parent]) { pool, holder in
                let state = try stateWithFreeSpace(of: pool)
                let (origin, active) = try origin(parent, of: id, pool.control, holder)
                let size = size ?? origin.size
                guard size >= origin.size else {
                    throw LayerStoreError(
                        .sizeTooSmall,
                        "\(ByteSize.decimal(size)) is smaller than its parent \(parent) with "
                            + ByteSize.decimal(origin.size))
                }
                let ticket = try snapshot(origin, active, in: pool, holder)
                do {
                    var record = LayerRecord(
                        deviceID: ticket.id, size: size, transactionID: state.transactionID, isInitialized: false,
                        isDeleted: false, parent: parent.text, created: Int64(time(nil)))
                    if size > origin.size {
                        try whileMounted(id, record, in: pool) { try growFilesystem(at: $0, to: size) }
                    }
                    try complete(&record, pool)
                    try metadata.save(record, of: id)
                    try finish(ticket, holder, isLast: true)
                    return record
                } catch {
                    // A registration may have got as far as the file's name.
                    try metadata.forget(id)
                    _ = try? pool.control.removeDevice(.uuid(try uuid(of: ticket.id)))
                    try discardDevice(of: ticket, in: pool, holder)
                    throw error
                }
            }
        }
    }

    /// Refuses the base device, which every layer begins as, where only a layer will do.
    func requireLayer(_ id: LayerID) throws(LayerStoreError) {
        guard id != .base else {
            throw LayerStoreError(.invalidLayerID, "the base device is no layer; make a layer from it")
        }
    }

    /// The record of a layer that must exist.
    func existing(_ id: LayerID, as role: String = "the layer") throws -> LayerRecord {
        guard let record = try metadata.record(of: id), !record.isDeleted else {
            throw LayerStoreError(.noSuchLayer, "\(role) \(id) does not exist")
        }
        return record
    }

    /// What a new layer is copied from, and its device if that is active; then nobody else may work on it any more.
    private func origin(
        _ parent: LayerID, of id: LayerID, _ control: Control, _ holder: StoreLock.Holder
    ) throws -> (LayerRecord, DeviceInformation?) {
        var isAlone = false
        while true {
            let origin = try existing(parent, as: "the parent layer")
            guard parent != .base || origin.isInitialized else {
                throw LayerStoreError(
                    .notInitialized,
                    "the base device has no file system, because its making was interrupted; “dmlayer init” completes it"
                )
            }
            guard try metadata.record(of: id) == nil else {
                throw LayerStoreError(.layerExists, "there is a layer \(id) already")
            }
            // A device that nobody has open and that the kernel is about to remove, as after a commit, has nothing in flight.
            let active = try control.informationIfPresent(on: .uuid(try uuid(of: origin.deviceID)))
                .flatMap { $0.isRemovalDeferred && $0.openCount == 0 ? nil : $0 }
            if active == nil || isAlone { return (origin, active) }
            // It has to be suspended, which only one can do at a time.
            for layer in [parent, id] { try holder.unlock(.layer(layer)) }
            try holder.lock([parent, id])
            isAlone = true
        }
    }

    /// Makes a thin device as a copy of `origin`, with a number that was free.
    private func snapshot(
        _ origin: LayerRecord, _ active: DeviceInformation?, in pool: ThinPool, _ holder: StoreLock.Holder
    ) throws -> DeviceIDAllocator.Ticket {
        let uuid = try uuid(of: origin.deviceID)
        // Of a device that is read-only nothing is in flight. One that is about to go away must stay until the copy is made.
        let isActive = try active.map { try !$0.isReadOnly && cancelRemoval(of: $0, pool.control) } ?? false
        defer {
            if isActive, active?.isRemovalDeferred == true { _ = try? removeWhenClosed(uuid, pool.control) }
        }
        return try withFreshDeviceID(in: pool, holder) { id in
            try pool.createSnapshot(id, of: origin.deviceID, active: isActive ? .uuid(uuid) : nil)
        }
    }

    /// Takes numbers until the pool accepts one.
    func withFreshDeviceID(
        in pool: ThinPool, _ holder: StoreLock.Holder, _ create: (ThinDeviceID) throws -> Void
    ) throws -> DeviceIDAllocator.Ticket {
        // Docker, or an earlier crash, may have left numbers in use that no layer has.
        for _ in 0...ThinDeviceID.maximum.value {
            let ticket = try allocator.take(holder)
            // While it is counted it has its mark: the other way round, a mark of a process that died could pass for it.
            numbersInFlight.withLock { _ = $0.insert(ticket.id) }
            do {
                try create(ticket.id)
                return ticket
            } catch let error as DeviceMapperError where error.code == .alreadyExists {
                numbersInFlight.withLock { _ = $0.remove(ticket.id) }
                try allocator.abandon(ticket, holder)
            } catch let error as DeviceMapperError where error.command == .suspendDevice {
                // Whether the pool was asked is not known, and so whose the number is. It stays in flight for the recovery, which
                // resumes the parent as well.
                numbersInFlight.withLock { _ = $0.remove(ticket.id) }
                throw error
            } catch {
                try discardDevice(of: ticket, in: pool, holder)
                throw error
            }
        }
        throw LayerStoreError(.failed, "the pool has no free device id left")
    }

    /// Says that the layer of `ticket` is registered; see `DeviceIDAllocator.finish`.
    func finish(_ ticket: DeviceIDAllocator.Ticket, _ holder: StoreLock.Holder, isLast: Bool = false) throws {
        numbersInFlight.withLock { _ = $0.remove(ticket.id) }
        try allocator.finish(ticket, holder, isLast: isLast)
    }

    /// Deletes the thin device of a layer that could not be completed.
    ///
    /// Where that fails, the number stays in flight, and the next one to open the store alone deletes it.
    func discardDevice(
        of ticket: DeviceIDAllocator.Ticket, in pool: ThinPool, _ holder: StoreLock.Holder
    ) throws {
        numbersInFlight.withLock { _ = $0.remove(ticket.id) }
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
                .failed, "the pool \(pool.name) has failed; “dmlayer pool status” says what to do")
        }
        guard state.mode != .readOnly else {
            throw LayerStoreError(
                .failed, "the pool \(pool.name) is read-only; “dmlayer pool status” says why, and what to do")
        }
        // A parent that is in use is suspended, which never ends while its writes wait for space.
        guard state.mode != .outOfDataSpace else {
            throw LayerStoreError(
                .notEnoughSpace,
                "the pool \(pool.name) is full; remove layers, or enlarge it with “dmlayer pool resize”")
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
        try requireDiskSpace(state)
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
