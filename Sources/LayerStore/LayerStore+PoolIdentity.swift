internal import BlockDevices
internal import DeviceMapper
internal import LogicalVolumes
internal import SystemPackage
internal import ThinProvisioning

/// Which device is the store's pool: its DM uuid decides, and a name only where there is no uuid.
extension LayerStore {
    // MARK: A pool that was named

    /// The pool that `dm.thinpooldev` names, if it is active, whatever its name is now.
    func activePool(named path: String, _ control: Control) throws -> ThinPool? {
        let expected = configuration.pool.poolUUID
        if let expected {
            for uuid in Self.uuids(ofPool: expected) {
                guard let information = try control.informationIfPresent(on: .uuid(uuid)), information.hasActiveTable
                else { continue }
                return try pool(.number(information.number), path, control)
            }
        }
        guard let reference = try foreignPool(path, control) else { return nil }
        if let expected {
            let found = try uuid(ofPool: path).map { "the uuid \($0)" } ?? "no uuid"
            throw LayerStoreError(
                .foreignDevice,
                "the device \(path) has \(found), and the pool of \(root) has \(expected): another device has its name. If it "
                    + "is the pool all the same, “dmlayer --storage-opt dm.thinpooldev=\(path) init” takes it")
        }
        return try pool(reference, path, control)
    }

    private func pool(_ reference: DeviceReference, _ path: String, _ control: Control) throws -> ThinPool {
        do {
            return try ThinPool(control, open: reference)
        } catch {
            guard error.code == .invalidTable else { throw error }
            throw LayerStoreError(
                .foreignDevice, "the device \(path) is not a thin pool; name one in dm.thinpooldev", underlying: error)
        }
    }

    /// What lvm2 puts behind the uuid of a pool that has thin volumes of lvm2's own: the uuid itself is then that of a device
    /// on top of the pool.
    static let layerSuffix = "-tpool"

    /// The DM uuids that the device of a pool can have, of which the first that is there is the pool.
    private static func uuids(ofPool uuid: String) -> [DeviceUUID] {
        // One that is too long with the suffix is none of LVM's.
        (uuid.hasPrefix("LVM-") ? [uuid + layerSuffix, uuid] : [uuid]).compactMap { try? DeviceUUID($0) }
    }

    /// The path of the pool where the store does not make it from its own files or devices: that which it has now.
    ///
    /// - Returns: `nil` when the store makes its pool.
    public func poolPath() throws(LayerStoreError) -> String? {
        guard configuration.pool.poolDevice != nil else { return nil }
        return try attempting("look for the pool") {
            guard let volume = try poolVolume() else { return configuration.pool.poolDevice }
            return "/dev/mapper/\(volume.deviceName)"
        }
    }

    /// The logical volume that the pool is, by the name that it has now; `nil` where it is none.
    ///
    /// Another volume group of the same name, on the disk of a guest for example, is not meant: the pool's uuid tells which is.
    func poolVolume() throws -> ThinPoolVolume? {
        guard let path = configuration.pool.poolDevice else { return nil }
        var named = ThinPoolVolume(path)
        guard let uuid = configuration.pool.poolUUID else { return named }
        named?.groupID = LVMIdentifier(groupOfDeviceUUID: uuid)
        for candidate in Self.uuids(ofPool: uuid) {
            guard let active = try control().informationIfPresent(on: .uuid(candidate)) else { continue }
            var volume = ThinPoolVolume(poolDevice: active.name.description) ?? named
            volume?.groupID = named?.groupID
            return volume
        }
        return try ThinPoolVolume.find(deviceUUID: uuid) ?? named
    }

    /// Notes the DM uuid of a pool that was named, so that it is found again after it was renamed.
    func rememberPool(_ pool: ThinPool) throws {
        guard let uuid = try lastingUUID(of: pool) else { return }
        try updateConfiguration { $0.pool.poolUUID = uuid }
    }

    /// The DM uuid of a pool that was named, without what lvm2 adds for a time.
    ///
    /// - Returns: `nil` where the store makes its pool itself, or the pool has no uuid.
    func lastingUUID(of pool: ThinPool) throws -> String? {
        guard configuration.pool.poolDevice != nil else { return nil }
        return try Self.lastingUUID(pool.control.information(on: .number(pool.number)))
    }

    private static func lastingUUID(_ information: DeviceInformation) -> String? {
        guard let uuid = information.uuid?.description else { return nil }
        return uuid.hasSuffix(layerSuffix) ? String(uuid.dropLast(layerSuffix.count)) : uuid
    }

    /// Takes another name for the pool of a store, if it is the same pool.
    ///
    /// The same DM uuid says so; otherwise the UUID of the base device's file system, as with Docker. The caller has the store
    /// for itself.
    ///
    /// - Throws: ``LayerStoreError/Code/foreignDevice`` when it is another pool.
    static func renamingPool(
        _ kept: StoreConfiguration, _ options: StorageOptions,
        open: (StoreConfiguration) throws -> LayerStore
    ) throws -> StoreConfiguration {
        guard let path = options.thinPoolDevice, kept.pool.poolDevice != nil else { return kept }
        var renamed = kept
        renamed.pool.poolDevice = path
        renamed.pool.poolUUID = nil
        let store = try open(renamed)
        guard try path != kept.pool.poolDevice || store.uuid(ofPool: path) != kept.pool.poolUUID else { return kept }
        let pool = try store.activePool() ?? store.activatePool()
        renamed.pool.poolUUID = try store.lastingUUID(of: pool)
        if renamed.pool.poolUUID == nil || renamed.pool.poolUUID != kept.pool.poolUUID {
            try store.verifyBaseDevice(in: pool)
        }
        return renamed
    }

    private func uuid(ofPool path: String) throws -> String? {
        try control().informationIfPresent(on: Self.reference(toPool: path)).flatMap(Self.lastingUUID)
    }

    // MARK: A pool of the store's own

    /// Checks that a pool with the store's uuid and another name is on the store's own files or devices: somebody renamed it.
    ///
    /// A copy of a root has the same uuid in its `store.json`, and other files.
    ///
    /// - Throws: ``LayerStoreError/Code/foreignDevice``.
    func requireOwnDevices(of information: DeviceInformation, _ control: Control) throws {
        let pool = ThinPool(
            control, name: information.name, number: information.number,
            blockSize: Sectors(wholeSectorsIn: configuration.blockSize))
        let target = try pool.target().target
        let source = configuration.pool
        for (device, named, file) in [
            (target.dataDevice, source.dataDevice, directory.dataFile),
            (target.metadataDevice, source.metadataDevice, directory.metadataFile),
        ] {
            guard named == nil, case .number(let number) = device, try !BackingFile.isBehind(number, file) else {
                continue
            }
            let path = BackingFile.name(behind: number).map { "the file \($0)" } ?? "the device \(number)"
            throw LayerStoreError(
                .foreignDevice,
                "the pool \(information.name) has the uuid of this store and is active on \(path), not on \(file): "
                    + "\(root) is a copy of the root that the pool is active for, or was moved to another file system "
                    + "meanwhile. Shut that root down first; if it is gone, unmount its layers and remove its devices with "
                    + "“dmlayer dm remove”, the pool last: what was written since the copy was made is lost then")
        }
        // Two roots can name the same devices, or have the same files by hard links, and each has a list of layers of its own.
        // The pool belongs to the root that its name tells.
        guard !StoreDirectory.isPoolName(information.name.description) else {
            throw LayerStoreError(
                .foreignDevice,
                "the pool \(information.name) is active for another root, of which \(root) is a copy with the same files or "
                    + "devices below the pool; shut that one down first")
        }
    }

    /// Says what to do about a pool of this root that Docker made: its daemon runs, or died.
    func refuseForeignPool(_ name: DeviceName, _ control: Control) throws {
        // One with the uuid has just been made by another process that has the store open.
        guard let information = try control.informationIfPresent(on: .name(name)),
            try information.uuid != poolUUID()
        else { return }
        if try information.uuid == poolUUID(for: access == .readOnly ? .readWrite : .readOnly) {
            throw LayerStoreError(
                .busy,
                access == .readOnly
                    ? "the pool \(name) is active for writing; “dmlayer shutdown” ends that"
                    : "the pool \(name) is active for reading only; “dmlayer --read-only shutdown” ends that")
        }
        if let uuid = information.uuid, uuid.hasPrefix(Self.uuidPrefix) {
            throw LayerStoreError(
                .foreignDevice,
                "the pool \(name) (\(information.number)) is active with the uuid \(uuid), so dmlayer made it for this root "
                    + "while \(directory.root.appending(StoreConfiguration.fileName)) said something else, or was there. "
                    + "Restore that file; or unmount what is mounted in \(directory.mountPoints) and remove the devices "
                    + "\(directory.devicePrefix)… with “dmlayer dm remove”, the pool last, and then go on with what is there"
            )
        }
        throw LayerStoreError(
            .foreignDevice,
            "the pool \(name) (\(information.number)) is active, and Docker or somebody else made it. Stop Docker; if its "
                + "daemon died, start and stop it once, or unmount what is mounted in \(directory.mountPoints) and remove "
                + "the devices \(directory.devicePrefix)… with “dmlayer dm remove”, the pool last")
    }

    /// A pool by any path or name: `/dev/mapper/NAME`, `/dev/VG/LV`, `/dev/dm-N`, or the name alone.
    static func reference(toPool path: String) throws -> DeviceReference {
        if let status = try? Stat(FilePath(path)), status.type == .blockSpecial {
            return .number(DeviceNumber(status.specialDeviceID))
        }
        let prefix = "/dev/mapper/"
        let name = path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : path
        return .name(try DeviceName(name.contains("/") ? ThinPoolVolume(name)?.deviceName ?? name : name))
    }
}
