internal import DeviceMapper
internal import ThinProvisioning

extension LayerStore {
    /// Makes the pool and the metadata directory agree, after any crash.
    ///
    /// The caller has the store for itself. Nothing is deleted that a layer could still need: where a metadata file
    /// cannot be understood, no number can be known to be without a layer, and only what was being removed goes.
    func recover(_ pool: ThinPool, _ holder: StoreLock.Holder) throws {
        try metadata.directory.removeTemporaryFiles()
        try endDockerTransaction(in: pool)
        try endDockerRemovals()
        let records = try metadata.records()
        let registered = Set(records.compactMap { try? $0.record.get().deviceID })
        let isComplete = registered.count == records.count

        try resumeAndRemoveDevices(of: pool, layers: Set(records.map(\.name)))
        for record in try metadata.unfinishedRemovals() {
            let isTaken = registered.contains(record.deviceID)
            guard try isTaken || deleteUnlessBusy(record.deviceID, in: pool) else { continue }
            try metadata.endRemoval(record)
        }
        let names = try metadata.directory.names()
        var isClean = isComplete
        if isComplete {
            for id in allocator.reservedIDs(names).subtracting(registered).sorted() {
                if try !deleteUnlessBusy(id, in: pool) { isClean = false }
            }
        }
        let last = registered.max() ?? .maximum
        try allocator.reset(after: last, keepingOthers: !isClean, names, holder)
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
                try deactivate(id)
            } catch let error as LayerStoreError where error.code == .busy {
                continue
            }
            try metadata.beginRemoval(of: id, record)
        }
    }

    /// Deletes a thin device if it exists.
    ///
    /// - Returns: Whether it is gone; a device of somebody else's making may keep it.
    private func deleteUnlessBusy(_ id: ThinDeviceID, in pool: ThinPool) throws(DeviceMapperError) -> Bool {
        do {
            try deleteIfPresent(id, in: pool)
            return true
        } catch  where error.code == .busy {
            return false
        }
    }

    /// Resumes what a process left suspended, and removes the devices of layers that were never completed.
    private func resumeAndRemoveDevices(of pool: ThinPool, layers: Set<String>) throws {
        for device in try pool.control.devices(withPrefix: directory.devicePrefix) where device.number != pool.number {
            let information = try pool.control.information(on: .number(device.number))
            guard let uuid = information.uuid, uuid.hasPrefix(Self.uuidPrefix + configuration.storeID) else { continue }
            if information.isSuspended { try pool.control.resumeDevice(.uuid(uuid)) }
            let layer = device.name.description.dropFirst(directory.devicePrefix.count)
            if !layers.contains(String(layer)), let id = try? LayerID(String(layer)) {
                try deactivate(id)
            }
        }
    }
}
