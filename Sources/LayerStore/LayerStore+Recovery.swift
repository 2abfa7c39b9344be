internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import ThinProvisioning

extension LayerStore {
    /// Makes the pool and the metadata directory agree, after any crash.
    ///
    /// The caller has the store for itself. Nothing is deleted that a layer could still need: where a metadata file
    /// cannot be understood, no number can be known to be without a layer, and only what was being removed goes.
    func recover(_ pool: ThinPool, _ holder: StoreLock.Holder) throws {
        if try pool.control.information(on: .number(pool.number)).isSuspended {
            try pool.control.resumeDevice(.number(pool.number))
        }
        guard case .available(let state) = try pool.status(), state.mode != .readOnly else {
            // Nothing can be changed; it can still be looked at. The mark of a process that died stays, or is made.
            try allocator.invalidate(holder)
            return
        }
        try verifyBaseDevice(in: pool)
        if configuration.pool.poolUUID == nil { try rememberPool(pool) }
        reserveMetadataSpace(state)
        try metadata.directory.removeTemporaryFiles()
        try endDockerTransaction(in: pool)
        try endDockerRemovals()
        let records = try metadata.records()
        let registered = Set(records.compactMap { try? $0.record.get().deviceID })
        let isComplete = registered.count == records.count

        try resumeAndRemoveDevices(of: pool, registered)
        var removed: Set<ThinDeviceID> = []
        for record in try metadata.unfinishedRemovals() {
            // A number that a layer has again is not the removed one's.
            if registered.contains(record.deviceID) {
                try metadata.endRemoval(record)
            } else {
                removed.insert(record.deviceID)
            }
        }
        let names = try metadata.directory.names()
        var isClean = isComplete
        if isComplete {
            for id in allocator.reservedIDs(names).subtracting(registered).subtracting(removed).sorted() {
                if try !deleteUnlessBusy(id, in: pool) { isClean = false }
            }
        }
        let last = lastID(before: registered.union(removed), in: pool)
        try allocator.reset(
            after: last, keepingOthers: !isClean, removals: removed.count, names, holder)
    }

    /// Checks that the pool is the one that the metadata directory is about, before anything is changed in it.
    ///
    /// - Throws: ``LayerStoreError/Code/foreignDevice`` with the UUIDs of both base devices.
    func verifyBaseDevice(in pool: ThinPool) throws {
        guard let expected = try metadata.deviceSet()?.baseDeviceUUID, let record = try metadata.record(of: .base),
            record.isInitialized
        else { return }
        func refusal(_ found: String, _ error: (any Error)? = nil) -> LayerStoreError {
            LayerStoreError(
                .foreignDevice,
                "the pool \(pool.name) is not the one that the layers of \(root) are in: its base device \(found), and "
                    + "theirs has the UUID \(expected). Name the right pool, or if this is a new one, take another root",
                underlying: error)
        }
        let uuid = try uuid(of: record.deviceID)
        var active = try device(of: record.deviceID, pool.control)
        if let left = active, left.isReadOnly, left.openCount == 0 {
            // A process that died in here has left it.
            _ = try failure(removing: uuid, pool.control)
            active = nil
        }
        let device: DeviceInformation
        do {
            device =
                try active
                ?? pool.activate(
                    record.deviceID, name: try directory.deviceName(of: .base), uuid: uuid,
                    length: Sectors(wholeSectorsIn: record.size), isReadOnly: true)
        } catch let error as DeviceMapperError where error.command == .loadTable {
            guard case .available(let state) = try pool.status(), state.mode == .readWrite else { throw error }
            throw refusal("does not exist (\(error))", error)
        }
        let opened = Result { try BlockDevice(try DeviceNode.path(of: device.number)) }
        let probed = opened.flatMap { device in
            defer { device.close() }
            return Result { try Superblock.probe(device)?.uuid }
        }
        // Somebody who looks at every new device may have it open.
        if active == nil, try failure(removing: uuid, pool.control) != nil {
            _ = try removeWhenClosed(uuid, pool.control)
        }
        let found = try probed.get()
        guard found == expected else {
            throw refusal(found.map { "has a file system with the UUID \($0)" } ?? "has no file system")
        }
    }

    /// Ends what Docker was doing when it was interrupted, as Docker does: the layer that it was making or removing goes.
    ///
    /// Unlike Docker, it takes nothing away that anything else speaks for: a thin device that another layer has, a layer
    /// that has another thin device, a base device with a file system. A transaction that cannot be understood, or that
    /// the pool has reached, says nothing.
    private func endDockerTransaction(in pool: ThinPool) throws {
        guard let transaction = try? metadata.dockerTransaction(), case .available(let state) = try pool.status(),
            transaction.openTransactionID > state.transactionID, let number = ThinDeviceID(transaction.deviceID)
        else { return }
        let name = transaction.layer.isEmpty ? LayerID.base.text : transaction.layer
        var records: [String: LayerRecord] = [:]
        for (name, record) in try metadata.records() {
            // What cannot be understood may be about this number; the transaction stays until it can be.
            guard let record = try? record.get() else { return }
            records[name] = record
        }
        let record = records[name].flatMap { $0.deviceID == number && !$0.isInitialized ? $0 : nil }
        if record != nil { records[name] = nil }
        let isTaken = records.values.contains { $0.deviceID == number }
        guard try isTaken || deleteUnlessBusy(number, in: pool) else { return }
        if record != nil { try metadata.directory.remove(name) }
        try metadata.endDockerTransaction()
    }

    /// Begins to remove the layers that Docker has marked for deletion and could not delete while they were in use.
    private func endDockerRemovals() throws {
        for (name, record) in try metadata.records() {
            guard let record = try? record.get(), record.isDeleted, let id = try? LayerID(name) else { continue }
            do {
                try deactivate(id, record.deviceID)
            } catch let error as LayerStoreError where error.code == .busy {
                continue
            }
            try metadata.beginRemoval(of: id, record)
        }
    }

    /// Deletes a thin device if it exists.
    ///
    /// - Returns: Whether it is gone; a device of somebody else's making may keep it.
    func deleteUnlessBusy(_ id: ThinDeviceID, in pool: ThinPool) throws(DeviceMapperError) -> Bool {
        do {
            try deleteIfPresent(id, in: pool)
            return true
        } catch  where error.code == .busy {
            return false
        }
    }

    /// Resumes what a process left suspended, and removes the devices of layers that were never completed.
    private func resumeAndRemoveDevices(of pool: ThinPool, _ registered: Set<ThinDeviceID>) throws {
        for device in try pool.control.devices(withPrefix: directory.devicePrefix) where device.number != pool.number {
            // What a removed layer has open can go away meanwhile.
            guard let information = try pool.control.informationIfPresent(on: .number(device.number)),
                let number = thinDevice(information.uuid)
            else { continue }
            if information.isSuspended { try pool.control.resumeDevice(.number(device.number)) }
            // What a removed layer has open goes away by itself.
            if !registered.contains(number), !information.isRemovalDeferred {
                let layer = device.name.description.dropFirst(directory.devicePrefix.count)
                try deactivate((try? LayerID(String(layer))) ?? .base, number, isDeferred: true)
            }
        }
    }
}
