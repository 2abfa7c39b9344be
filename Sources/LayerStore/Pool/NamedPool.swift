internal import DeviceMapper
internal import LogicalVolumes
internal import SystemPackage
internal import ThinProvisioning

/// A pool that somebody else makes, or that is a logical volume: `dm.thinpooldev` and direct-lvm.
///
/// Its DM uuid decides which device it is, and a name only where it has no uuid: the uuid of a logical volume stays the same
/// when the volume or its group is renamed.
struct NamedPool: Sendable {
    /// The value of `dm.thinpooldev`, or the name of direct-lvm's pool.
    let path: String
    /// The DM uuid that `store.json` keeps; `nil` where the pool has none, or was not seen yet.
    let uuid: String?
    private let root: FilePath
    private let access: StoreAccess

    /// - Returns: `nil` where the store makes its pool on its own files or devices.
    init?(_ source: PoolSource, root: FilePath, _ access: StoreAccess) {
        guard let path = source.poolDevice else { return nil }
        self.path = path
        uuid = source.poolUUID
        self.root = root
        self.access = access
    }

    /// The suffix that lvm2 gives to the name and the uuid of a pool that has thin volumes of lvm2's own.
    ///
    /// The name without it is that of another device, on top of the pool.
    private static let layerSuffix = "-tpool"

    // MARK: The device

    /// The pool if it is active, whatever its name is now.
    ///
    /// - Throws: ``LayerStoreError/Code/foreignDevice`` when another device has the pool's name;
    ///   ``LayerStoreError/Code/busy`` when a command with `--read-only` has activated the pool, and this one changes it.
    func active(_ control: Control) throws -> ThinPool? {
        if let uuid {
            for candidate in Self.deviceUUIDs(uuid) {
                guard let device = try control.informationIfPresent(on: .uuid(candidate)), device.hasActiveTable
                else { continue }
                return try pool(.number(device.number), control)
            }
        }
        guard let device = try deviceByName(control) else { return nil }
        if let uuid {
            let found = try uuidByName(control).map { "the uuid \($0)" } ?? "no uuid"
            throw LayerStoreError(
                .foreignDevice,
                "the device \(path) has \(found), and the pool of \(root) has \(uuid): another device has its name. If it "
                    + "is the pool all the same, “dmlayer --storage-opt dm.thinpooldev=\(path) init” takes it")
        }
        return try pool(device, control)
    }

    private func pool(_ reference: DeviceReference, _ control: Control) throws -> ThinPool {
        do {
            let found = try ThinPool.find(control, reference)
            guard access == .readWrite, Self.isForReading(found.information, found.target) else { return found.pool }
            throw LayerStoreError(
                .busy,
                "the pool \(path) is active for reading only, as a command with --read-only leaves it; “dmlayer --read-only "
                    + "shutdown” ends that")
        } catch let error as DeviceMapperError {
            guard error.code == .invalidTable else { throw error }
            throw LayerStoreError(
                .foreignDevice, "the device \(path) is not a thin pool; name one in dm.thinpooldev", underlying: error)
        }
    }

    /// Whether the pool is a logical volume that a command with `--read-only` has activated.
    func isActiveForReading(_ control: Control) throws -> Bool {
        guard let pool = try active(control) else { return false }
        let found = try ThinPool.find(control, .number(pool.number))
        return Self.isForReading(found.information, found.target)
    }

    /// Whether a pool is a logical volume with the feature `read_only`, so that no store can change it.
    private static func isForReading(_ device: DeviceInformation, _ target: ThinPoolTarget) -> Bool {
        device.uuid?.hasPrefix("LVM-") == true && target.features.contains(.readOnly)
    }

    /// The DM uuids that the device of a pool can have; the first that is there is the pool.
    private static func deviceUUIDs(_ uuid: String) -> [DeviceUUID] {
        // A uuid that is too long with the suffix is not a logical volume's.
        (uuid.hasPrefix("LVM-") ? [uuid + layerSuffix, uuid] : [uuid]).compactMap { try? DeviceUUID($0) }
    }

    /// The device that has the pool's name, if it is active.
    ///
    /// Where lvm2 has thin volumes of its own in a pool, it puts another device on top of the pool, and people name that one.
    private func deviceByName(_ control: Control) throws -> DeviceReference? {
        let reference = try Self.reference(toPool: path)
        guard let named = try control.informationIfPresent(on: reference) else {
            // A name that is too long with the suffix is not such a pool's.
            guard case .name(let name) = reference, let below = try? DeviceName("\(name)\(Self.layerSuffix)"),
                let pool = try control.informationIfPresent(on: .name(below)), pool.hasActiveTable,
                pool.uuid?.description.hasSuffix(Self.layerSuffix) == true
            else { return nil }
            return .number(pool.number)
        }
        // A uuid that is too long with the suffix is not a logical volume's.
        if let uuid = named.uuid, uuid.hasPrefix("LVM-"), let below = try? DeviceUUID("\(uuid)\(Self.layerSuffix)"),
            let pool = try control.informationIfPresent(on: .uuid(below)), pool.hasActiveTable
        {
            return .number(pool.number)
        }
        return named.hasActiveTable ? reference : nil
    }

    /// The uuid of the device that has the pool's name, without lvm2's suffix.
    func uuidByName(_ control: Control) throws -> String? {
        try control.informationIfPresent(on: Self.reference(toPool: path)).flatMap(Self.lastingUUID)
    }

    /// The DM uuid of an active pool, without lvm2's suffix; `nil` where it has none.
    static func lastingUUID(of pool: ThinPool) throws -> String? {
        try lastingUUID(pool.control.information(on: .number(pool.number)))
    }

    private static func lastingUUID(_ information: DeviceInformation) -> String? {
        guard let uuid = information.uuid?.description else { return nil }
        return uuid.hasSuffix(layerSuffix) ? String(uuid.dropLast(layerSuffix.count)) : uuid
    }

    /// A pool by any path or name: `/dev/mapper/NAME`, `/dev/VG/LV`, `/dev/dm-N`, or the name alone.
    private static func reference(toPool path: String) throws -> DeviceReference {
        // Anything that is not the path of a block device is taken for a name.
        if let status = try? Stat(FilePath(path)), status.type == .blockSpecial {
            return .number(DeviceNumber(status.specialDeviceID))
        }
        let prefix = "/dev/mapper/"
        let name = path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : path
        return .name(try DeviceName(name.contains("/") ? ThinPoolVolume(name)?.deviceName ?? name : name))
    }

    // MARK: The logical volume

    /// The logical volume that the pool is, by the name that it has now; `nil` where it is none.
    ///
    /// Another volume group may have the same name, on the disk of a guest for example. The uuid tells which is meant.
    func volume(_ control: Control) throws -> ThinPoolVolume? {
        var named = ThinPoolVolume(path)
        guard let uuid else { return named }
        named?.groupID = LVMIdentifier(groupOfDeviceUUID: uuid)
        for candidate in Self.deviceUUIDs(uuid) {
            guard let active = try control.informationIfPresent(on: .uuid(candidate)) else { continue }
            var volume = ThinPoolVolume(poolDevice: active.name.description) ?? named
            volume?.groupID = named?.groupID
            return volume
        }
        return try ThinPoolVolume.find(deviceUUID: uuid) ?? named
    }

    /// Activates the logical volume, or completes what of it is active.
    ///
    /// - Returns: Why there is no such logical volume; `nil` where it is active now.
    func failureOfActivation(_ control: Control) throws -> String? {
        do {
            guard let volume = try volume(control) else { return "no volume group has it" }
            try volume.activate(control, isReadOnly: access == .readOnly)
            return nil
        } catch let error as LogicalVolumeError where error.code == .notFound {
            // It names the disks that lvm2's configuration leaves out, one of which may have the pool.
            return "no volume group has it (\(error))"
        } catch let error as LogicalVolumeError {
            throw LayerStoreError(.backingStore, "cannot activate the pool \(path): \(error)", underlying: error)
        }
    }
}
