internal import DeviceMapper
internal import ThinProvisioning

extension LayerStore {
    /// Makes the pool and the metadata directory agree, after any crash.
    ///
    /// The caller has the store for itself. Nothing is deleted that a layer could still need: where a metadata file
    /// cannot be understood, no number can be known to be without a layer, and only what was being removed goes.
    func recover(_ pool: ThinPool) throws {
        try metadata.directory.removeTemporaryFiles()
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
        try allocator.reset(after: last, keepingOthers: !isComplete, names, session)
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
