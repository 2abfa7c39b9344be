internal import BlockDevices
internal import DeviceMapper
internal import LogicalVolumes
internal import SystemPackage
internal import ThinProvisioning

/// The pool of a store: found if it is active, and activated on the store's own files or devices, or where it was named.
struct StorePool: Sendable {
    private let kernel: KernelAccess
    private let identity: DeviceIdentity
    private let configuration: StoreConfiguration
    private let directory: StoreDirectory
    private let access: StoreAccess
    /// The pool where the store does not make it.
    let named: NamedPool?
    /// The files and devices below a pool that the store makes.
    let backing: PoolBacking

    init(
        _ kernel: KernelAccess, _ identity: DeviceIdentity, _ configuration: StoreConfiguration,
        _ directory: StoreDirectory, _ access: StoreAccess
    ) {
        self.kernel = kernel
        self.identity = identity
        self.configuration = configuration
        self.directory = directory
        self.access = access
        named = NamedPool(configuration.pool, root: directory.root, access)
        backing = PoolBacking(configuration.pool, directory, access)
    }

    /// The pool has an event when fewer blocks of its data are free.
    ///
    /// It is the figure of Docker's driver.
    private static let lowWaterMark: UInt64 = 32768

    // MARK: Finding

    /// The pool if it is active.
    ///
    /// - Throws: ``LayerStoreError/Code/foreignDevice`` when a device of its name belongs to somebody else.
    func active() throws -> ThinPool? {
        let control = try kernel.control()
        if let named { return try named.active(control) }
        let name = try identity.poolName()
        guard let information = try control.informationIfPresent(on: .uuid(identity.poolUUID(access))) else {
            try refuseForeignPool(name, control)
            return nil
        }
        // Without a table it is being made, or was left by a process that died.
        guard information.hasActiveTable else { return nil }
        let pool = ThinPool(control, information, blockSize: Sectors(wholeSectorsIn: configuration.blockSize))
        if information.name != name { try requireOwnBacking(of: pool) }
        return pool
    }

    /// Checks that a pool with the store's uuid and another name is on the store's own files or devices: somebody renamed it.
    ///
    /// A copy of a root has the same uuid in its `store.json`, and other files.
    ///
    /// - Throws: ``LayerStoreError/Code/foreignDevice``.
    private func requireOwnBacking(of pool: ThinPool) throws {
        let root = directory.root
        if let (path, file) = try backing.foreignFile(below: pool) {
            throw LayerStoreError(
                .foreignDevice,
                "the pool \(pool.name) has the uuid of this store and is active on \(path), not on \(file): "
                    + "\(root) is a copy of the root that the pool is active for, or was moved to another file system "
                    + "meanwhile. Shut that root down first; if it is gone, unmount its layers and remove its devices with "
                    + "“dmlayer dm remove”, the pool last: what was written since the copy was made is lost then")
        }
        // Two roots can name the same devices, or have the same files by hard links, and each has a list of layers of its own.
        // The pool belongs to the root that its name tells.
        guard !StoreDirectory.isPoolName(pool.name.description) else {
            throw LayerStoreError(
                .foreignDevice,
                "the pool \(pool.name) is active for another root, of which \(root) is a copy with the same files or "
                    + "devices below the pool; shut that one down first")
        }
    }

    /// Says what to do about a pool of this root that the store did not make: Docker's daemon runs, or died.
    private func refuseForeignPool(_ name: DeviceName, _ control: Control) throws {
        // A pool with the store's uuid has just been made by another process that has the store open.
        guard let information = try control.informationIfPresent(on: .name(name)),
            try information.uuid != identity.poolUUID(access)
        else { return }
        if try information.uuid == identity.poolUUID(access == .readOnly ? .readWrite : .readOnly) {
            throw LayerStoreError(
                .busy,
                access == .readOnly
                    ? "the pool \(name) is active for writing; “dmlayer shutdown” ends that"
                    : "the pool \(name) is active for reading only; “dmlayer --read-only shutdown” ends that")
        }
        if let uuid = information.uuid, uuid.hasPrefix(DeviceIdentity.anyStore) {
            throw LayerStoreError(
                .foreignDevice,
                "the pool \(name) (\(information.number)) is active with the uuid \(uuid), so dmlayer made it for this root "
                    + "while \(directory.root.appending(StoreConfiguration.fileName)) said something else, or was there. "
                    + "Restore that file; or unmount what is mounted in \(directory.mountPoints) and remove the devices "
                    + "\(identity.namePrefix)… with “dmlayer dm remove”, the pool last, and then go on with what is there"
            )
        }
        throw LayerStoreError(
            .foreignDevice,
            "the pool \(name) (\(information.number)) is active, and Docker or somebody else made it. Stop Docker; if its "
                + "daemon died, start and stop it once, or unmount what is mounted in \(directory.mountPoints) and remove "
                + "the devices \(identity.namePrefix)… with “dmlayer dm remove”, the pool last")
    }

    // MARK: Activating

    /// Activates the pool.
    ///
    /// - Parameters:
    ///   - alone: The caller has the store alone, so that no other operation activates the pool.
    ///   - mayBeNew: Whether the kernel may make the metadata of an empty pool.
    func activate(_ alone: StoreAlone, mayBeNew: Bool) throws -> ThinPool {
        let control = try kernel.control()
        if let named {
            let reason = try named.failureOfActivation(control)
            if reason == nil, let pool = try named.active(control) { return pool }
            throw LayerStoreError(
                .backingStore,
                "the pool \(named.path) is not active, and \(reason ?? "has gone"); activate it where it was made. If it "
                    + "has another name now, “dmlayer --storage-opt dm.thinpooldev=NAME init” takes that")
        }
        let (name, uuid) = (try identity.poolName(), try identity.poolUUID(access))
        if let left = try control.informationIfPresent(on: .uuid(uuid)), !left.hasActiveTable {
            try control.removeDevice(.uuid(uuid))
        }
        let (data, metadata) = try backing.open()
        defer {
            data.close()
            metadata.close()
        }
        if !mayBeNew { try requireMetadata(on: metadata.device.path) }
        let target = ThinPoolTarget(
            metadataDevice: .number(metadata.device.number), dataDevice: .number(data.device.number),
            blockSize: Sectors(wholeSectorsIn: configuration.blockSize), lowWaterMark: Self.lowWaterMark,
            features: features)
        // The pool holds the loop devices from here on; they detach themselves when it goes.
        do {
            return try ThinPool.activate(
                control, name: name, uuid: uuid, target: target, length: Sectors(wholeSectorsIn: try data.device.size())
            )
        } catch let error as DeviceMapperError where error.code == .busy && error.command == .createDevice {
            throw LayerStoreError(
                .foreignDevice,
                "a device named \(name), or with the uuid \(uuid), has just been made by somebody else; “dmlayer dm info” "
                    + "shows it", underlying: error)
        } catch let error as DeviceMapperError where error.command == .loadTable {
            throw LayerStoreError(
                .backingStore, "the pool cannot be activated, and “dmlayer pool status” says what to do: \(error)",
                underlying: error)
        }
    }

    /// Refuses a device on which the kernel would make the metadata of an empty pool: one that begins with 4096 zeros
    /// (`__superblock_all_zeroes` in `drivers/md/dm-thin-metadata.c`).
    ///
    /// It may be another device than the one that is meant: after a restart, numbers and names of devices can change.
    private func requireMetadata(on device: FilePath) throws {
        // Not through the page cache, which may be older than what an earlier pool has written. The kernel refuses an empty device.
        let source = try ThinMetadataDevice(device)
        guard try source.blockCount() != 0, try source.readBlock(0).allSatisfy({ $0 == 0 }) else { return }
        throw LayerStoreError(
            .foreignDevice,
            "\(backing.metadataName(device)) has no pool's metadata: it begins with zeros, and \(directory.root) has layers. "
                + "After a restart another disk may have that name: attach the disks so that they have their names again. If "
                + "the metadata is lost, restore it from a backup. Nothing was written")
    }

    private var features: ThinPoolTarget.Features {
        var features: ThinPoolTarget.Features = []
        if configuration.zeroesNewBlocks != true { features.insert(.skipBlockZeroing) }
        if configuration.errorIfNoSpace == true { features.insert(.errorIfNoSpace) }
        if access == .readOnly { features.insert(.readOnly) }
        return features
    }

    /// Removes the pool's device where the store made it, and a logical volume that was activated for reading only.
    ///
    /// - Returns: The kernel's refusal when something has it open.
    func remove(_ devices: LayerDevices) throws -> DeviceMapperError? {
        if let named {
            if access == .readOnly, try named.isActiveForReading(kernel.control()) { try deactivateVolume() }
            return nil
        }
        return try devices.failure(removing: identity.poolUUID(access))
    }

    /// Resumes the pool's device if a process of this store left it suspended.
    ///
    /// The caller knows that no operation keeps it suspended. A pool that another program made, and that is no logical volume,
    /// is never suspended here. If it is suspended, its maker is at work on it.
    func resume() throws {
        guard let active = try active() else { return }
        let control = try kernel.control()
        // The number may be another device's by now; the uuid cannot be.
        guard let device = try control.informationIfPresent(on: .number(active.number)), device.name == active.name,
            device.isSuspended
        else { return }
        if named == nil {
            try control.resumeDevice(device.reference)
        } else if device.uuid?.hasPrefix("LVM-") == true {
            try volume()?.withPoolTable { _ = try control.resumeDevice(device.reference) }
        }
    }

    // MARK: The logical volume

    /// The logical volume that the pool is, by the name that it has now; `nil` where it is none.
    func volume() throws -> ThinPoolVolume? { try named?.volume(kernel.control()) }

    /// Takes down a pool that is a logical volume, after an operation that activated it and failed.
    func deactivateVolume() throws { try volume()?.deactivate(kernel.control()) }

    /// The path of the pool where the store does not make it, by the name that it has now.
    func path() throws -> String? {
        guard let named else { return nil }
        return try volume().map { "/dev/mapper/\($0.deviceName)" } ?? named.path
    }

    /// The DM uuid of a pool that was named, without what lvm2 adds for a time.
    ///
    /// - Returns: `nil` where the store makes its pool itself, or the pool has no uuid.
    func lastingUUID(of pool: ThinPool) throws -> String? { try named == nil ? nil : NamedPool.lastingUUID(of: pool) }

    // MARK: Reading

    /// The metadata of an active pool, on its device.
    func metadataDevice(of pool: ThinPool) throws -> ThinMetadataDevice { try pool.metadataDevice() }
}

extension ThinPool {
    /// The metadata of the pool, on its device.
    func metadataDevice() throws -> ThinMetadataDevice {
        switch try target().target.metadataDevice {
        case .number(let number): try ThinMetadataDevice(DeviceNode.path(of: number))
        case .path(let path): try ThinMetadataDevice(FilePath(path))
        }
    }
}
