internal import DeviceMapper
internal import ThinProvisioning

extension LayerStore {
    /// Makes the pool and the metadata directory agree, after any crash.
    ///
    /// The caller has the store for itself. Nothing is deleted that a layer could still need: where a metadata file
    /// cannot be understood, no number can be known to be without a layer, and only what was being removed goes.
    func recover(_ pool: ThinPool) throws {
        try metadata.directory.removeTemporaryFiles()
        try endDockerTransaction(in: pool)
        try endDockerRemovals()
        let records = try metadata.records()
        let registered = Set(records.compactMap { try? $0.record.get().deviceID })
        let isComplete = registered.count == records.count

        try resumeAndRemoveDevices(of: pool, layers: Set(records.map(\.name)))
        for record in try metadata.unfinishedRemovals() {
            if !registered.contains(record.deviceID) { try deleteIfPresent(record.deviceID, in: pool) }
            try metadata.endRemoval(record)
        }
        let names = try metadata.directory.names()
        if isComplete {
            for id in allocator.reservedIDs(names).subtracting(registered).sorted() {
                try deleteIfPresent(id, in: pool)
            }
        }
        let last = registered.max() ?? .maximum
        try allocator.reset(after: last, keepingOthers: !isComplete, names)
    }

    /// Ends what Docker was doing when it was interrupted, as Docker does: the layer that it was making or removing goes.
    private func endDockerTransaction(in pool: ThinPool) throws {
        guard let transaction = try metadata.dockerTransaction(), case .available(let state) = try pool.status(),
            transaction.openTransactionID > state.transactionID
        else { return }
        let id = transaction.layer.isEmpty ? LayerID.base : try LayerID(transaction.layer)
        let others = try metadata.records().filter { $0.name != id.text }
        guard let number = ThinDeviceID(transaction.deviceID) else { return }
        let isTaken = others.contains { (try? $0.record.get().deviceID) == number }
        if !isTaken { try deleteIfPresent(number, in: pool) }
        try metadata.directory.remove(id.text)
        try metadata.endDockerTransaction()
    }

    /// Removes the layers that Docker has marked for deletion and could not delete while they were in use.
    private func endDockerRemovals() throws {
        for (name, record) in try metadata.records() {
            guard let record = try? record.get(), record.isDeleted, let id = try? LayerID(name) else { continue }
            try deactivate(id)
            try metadata.beginRemoval(of: id, record)
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
