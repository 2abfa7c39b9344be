internal import DeviceMapper
internal import ThinProvisioning

/// The names and DM uuids of a store's devices.
///
/// A store suspends, loads and removes a device only by a uuid that begins as all of its own do. So it never touches a
/// device that somebody else made under the same name.
struct DeviceIdentity: Sendable {
    /// The prefix of the DM uuids of all devices of all stores.
    static let anyStore = "DMLAYER-"

    private let directory: StoreDirectory
    private let prefix: String

    init(_ directory: StoreDirectory, storeID: String) {
        self.directory = directory
        prefix = "\(Self.anyStore)\(storeID)-"
    }

    /// The prefix of the names of all devices of the store.
    var namePrefix: String { directory.devicePrefix }

    /// The DM uuid of a thin device that is active.
    ///
    /// It tells thin devices apart, not layers: the device of a layer that was removed while it was in use stays, and a new
    /// layer may have its name.
    func uuid(of number: ThinDeviceID) throws(DeviceMapperError) -> DeviceUUID {
        try DeviceUUID(prefix + number.description)
    }

    /// The DM uuid of the pool, which tells one that was activated for reading only from another.
    func poolUUID(_ access: StoreAccess) throws(DeviceMapperError) -> DeviceUUID {
        try DeviceUUID(prefix + (access == .readOnly ? "pool-read-only" : "pool"))
    }

    /// The thin device that an active device of this store is; `nil` when the uuid is the pool's or another store's.
    func thinDevice(_ uuid: DeviceUUID?) -> ThinDeviceID? {
        guard let uuid, uuid.hasPrefix(prefix) else { return nil }
        let number = UInt32(uuid.description.dropFirst(prefix.utf8.count)).flatMap { ThinDeviceID($0) }
        // “+5” and “05” are read as 5 too.
        return number.flatMap { prefix + $0.description == uuid.description ? $0 : nil }
    }

    /// The name of a layer's device.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidLayerID`` when the id is too long for one.
    func name(of id: LayerID) throws(LayerStoreError) -> DeviceName { try directory.deviceName(of: id) }

    /// The name of the device of a removed layer.
    func removedName(of number: ThinDeviceID) throws(LayerStoreError) -> DeviceName {
        try directory.removedDeviceName(number)
    }

    /// The name of the pool's device.
    func poolName() throws(LayerStoreError) -> DeviceName { try directory.poolName() }

    /// The layer, or the base device, after which a device is named; `nil` for a name that no layer's device has.
    func layer(_ name: DeviceName) -> LayerID? {
        guard name.description.hasPrefix(namePrefix) else { return nil }
        let text = String(name.description.dropFirst(namePrefix.count))
        // A name that is no id says that the device is not a layer's.
        return text == LayerID.base.text ? .base : try? LayerID(text)
    }
}
