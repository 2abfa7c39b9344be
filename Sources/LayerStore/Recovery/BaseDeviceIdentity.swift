internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import ThinProvisioning

/// The base device, which tells whether the pool is the one that the metadata directory is about.
struct BaseDeviceIdentity {
    let core: StoreCore

    /// Checks that the pool is the one that the metadata directory is about, before anything is changed in it.
    ///
    /// A pool that lost its base device, and still has a layer's, is the right one: its layers work, and no layer can be made
    /// from nothing.
    ///
    /// - Throws: ``LayerStoreError/Code/foreignDevice`` with the UUIDs of both base devices.
    func require(in pool: ThinPool, _ facts: Inventory, _ alone: StoreAlone) throws {
        // Without a readable `deviceset-metadata` nothing is compared; a check reports it.
        guard let expected = try core.registry.deviceSet()?.baseDeviceUUID,
            let record = facts.records[LayerID.base.text], record.isInitialized
        else { return try requireLayers(in: pool, facts) }
        if let present = facts.thinDevices, !present.contains(record.deviceID) {
            let layers = facts.records.filter { $0.key != LayerID.base.text }
            guard layers.contains(where: { present.contains($0.value.deviceID) }) else {
                throw refusal(pool, "does not exist", expected)
            }
            return
        }
        let found = try uuid(of: record, in: pool, expected, alone)
        guard found == expected else {
            throw refusal(pool, found.map { "has a file system with the UUID \($0)" } ?? "has no file system", expected)
        }
    }

    /// Checks that a pool without a base device of the store has a thin device of a layer that was taken over from another program.
    private func requireLayers(in pool: ThinPool, _ facts: Inventory) throws(LayerStoreError) {
        guard core.configuration.isAdopted, let present = facts.thinDevices, !facts.records.isEmpty,
            !facts.records.values.contains(where: { present.contains($0.deviceID) })
        else { return }
        throw LayerStoreError(
            .foreignDevice,
            "the pool \(pool.name) is not the one that the layers of \(core.directory.root) are in: it has the thin device of "
                + "none. Activate the right pool")
    }

    private func refusal(
        _ pool: ThinPool, _ found: String, _ expected: String, _ error: (any Error)? = nil
    ) -> LayerStoreError {
        LayerStoreError(
            .foreignDevice,
            "the pool \(pool.name) is not the one that the layers of \(core.directory.root) are in: its base device \(found), "
                + "and theirs has the UUID \(expected). Name the right pool, or if this is a new one, take another root",
            underlying: error)
    }

    /// The UUID of the file system on the base device; `nil` where there is none.
    private func uuid(
        of record: LayerRecord, in pool: ThinPool, _ expected: String, _ alone: StoreAlone
    ) throws -> String? {
        let base = alone.layer(.base)
        var active = try core.devices.active(record.deviceID, of: base)
        if let left = active, left.isReadOnly, left.openCount == 0 {
            // A process that died in here has left it.
            _ = try core.devices.failure(removing: record.deviceID)
            active = nil
        }
        let device: DeviceInformation
        do {
            device = try active ?? core.devices.activate(record, of: base, in: pool, isReadOnly: true)
        } catch let error as DeviceMapperError where error.command == .loadTable {
            guard case .available(let state) = try pool.status(), state.mode == .readWrite else { throw error }
            throw refusal(pool, "does not exist (\(error))", expected, error)
        }
        let opened = Result { try BlockDevice(try DeviceNode.path(of: device.number)) }
        let probed = opened.flatMap { device in
            defer { device.close() }
            return Result { try Superblock.probe(device)?.uuid }
        }
        // A program that looks at every new device may have it open.
        if active == nil, try core.devices.failure(removing: record.deviceID) != nil {
            _ = try core.devices.removeWhenClosed(record.deviceID)
        }
        return try probed.get()
    }
}
