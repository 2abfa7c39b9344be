internal import DeviceMapper
internal import ThinProvisioning

/// Takes the inventory of a store.
extension Inventory {
    /// Reads what the files of a metadata directory say.
    ///
    /// - Throws: ``LayerStoreError`` when the directory cannot be listed: then nothing is known.
    init(_ registry: LayerRegistry) throws(LayerStoreError) {
        for (name, record) in try registry.records() {
            switch record {
            case .success(let record): records[name] = record
            case .failure(let error): damaged[name] = error.reason
            }
            guard name != LayerID.base.text else { continue }
            do {
                _ = try LayerID(name)
            } catch {
                // The record counts all the same: its number is not free.
                damaged[name] = error.reason
            }
        }
        let names = try registry.names()
        let (numbers, unknown) = LayerRegistry.removals(in: names)
        removals = numbers
        for name in unknown { damaged[name] = "its name has no number of a thin device" }
        understoodRemovals = Set(try registry.unfinishedRemovals().map(\.deviceID))
        reserved = LayerRegistry.numbers(in: names).reserved
        temporaryFiles = try registry.temporaryNames()
        // Docker's file that cannot be understood says nothing: Docker passes over it as well.
        transaction = try? registry.dockerTransaction()
    }

    /// All numbers that a file speaks for.
    var claims: Set<ThinDeviceID> { registered.union(removals).union(reserved) }

    /// Reads which thin devices the pool has.
    mutating func addThinDevices(of pool: ThinPool, _ storePool: StorePool) {
        // Where the pool's metadata cannot be read, the plan deletes nothing.
        thinDevices = try? ThinPoolMetadata.consistently(reading: storePool.metadataDevice(of: pool)) { metadata in
            Set(try metadata.devices().map(\.id))
        }
    }

    /// Reads which devices of the store are active.
    mutating func addMappedDevices(of devices: LayerDevices) throws {
        mappedDevices = try devices.all().map { device, number in
            MappedDevice(
                name: device.name.description, number: number, isSuspended: device.isSuspended,
                isRemovalDeferred: device.isRemovalDeferred)
        }
    }
}
