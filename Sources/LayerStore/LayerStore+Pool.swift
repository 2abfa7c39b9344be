internal import BlockDevices
internal import DeviceMapper
internal import Glibc
internal import LogicalVolumes
internal import SystemPackage
internal import ThinProvisioning

/// A device below a pool, held open until the pool holds it.
enum PoolDevice {
    case loop(LoopDevice)
    case block(BlockDevice)

    var device: BlockDevice {
        switch self {
        case .loop(let loop): loop.device
        case .block(let device): device
        }
    }

    func close() { device.close() }
}

extension LayerStore {
    /// Docker's: the pool has an event when fewer blocks are free.
    private static let lowWaterMark: UInt64 = 32768

    /// The pool if it is active.
    func activePool() throws -> ThinPool? {
        let control = try control()
        if let path = configuration.pool.poolDevice { return try activePool(named: path, control) }
        let name = try directory.poolName()
        guard let information = try control.informationIfPresent(on: .uuid(try poolUUID())) else {
            try refuseForeignPool(name, control)
            return nil
        }
        // Without a table it is being made, or was left by a process that died.
        guard information.hasActiveTable else { return nil }
        if information.name != name { try requireOwnDevices(of: information, control) }
        return ThinPool(
            control, name: information.name, number: information.number,
            blockSize: Sectors(wholeSectorsIn: configuration.blockSize))
    }

    /// Makes the pool's device on its files or block devices.
    func activatePool() throws -> ThinPool {
        if let path = configuration.pool.poolDevice {
            if access == .readWrite, try activateLogicalVolume(path), let pool = try activePool() { return pool }
            throw LayerStoreError(
                .backingStore,
                "the pool \(path) is not active, and no volume group has it; activate it where it was made. If it has "
                    + "another name now, “dmlayer --storage-opt dm.thinpooldev=NAME init” takes that")
        }
        let control = try control()
        // The caller has the store alone: nobody is making this one.
        if let left = try control.informationIfPresent(on: .uuid(try poolUUID())), !left.hasActiveTable {
            try control.removeDevice(.uuid(try poolUUID()))
        }
        let data = try open(
            configuration.pool.dataDevice, file: directory.dataFile, size: configuration.pool.dataFileSize)
        defer { data.close() }
        let metadata = try open(
            configuration.pool.metadataDevice, file: directory.metadataFile, size: configuration.pool.metadataFileSize)
        defer { metadata.close() }
        var features: ThinPoolTarget.Features = []
        if configuration.zeroesNewBlocks != true { features.insert(.skipBlockZeroing) }
        if configuration.failsWhenFull == true { features.insert(.errorIfNoSpace) }
        if access == .readOnly { features.insert(.readOnly) }
        let target = ThinPoolTarget(
            metadataDevice: .number(metadata.device.number), dataDevice: .number(data.device.number),
            blockSize: Sectors(wholeSectorsIn: configuration.blockSize), lowWaterMark: Self.lowWaterMark,
            features: features)
        // The pool holds the loop devices from here on; they detach themselves when it goes.
        do {
            return try ThinPool.activate(
                control, name: try directory.poolName(), uuid: try poolUUID(), target: target,
                length: Sectors(wholeSectorsIn: try data.device.size()))
        } catch let error as DeviceMapperError where error.code == .busy && error.command == .createDevice {
            throw LayerStoreError(
                .foreignDevice,
                "a device named \(try directory.poolName()), or with the uuid \(try poolUUID()), has just been made by "
                    + "somebody else; “dmlayer dm info” shows it", underlying: error)
        } catch let error as DeviceMapperError where error.command == .loadTable {
            throw LayerStoreError(
                .backingStore, "the pool cannot be activated, and “dmlayer pool status” says what to do: \(error)",
                underlying: error)
        }
    }

    private func open(_ device: String?, file: FilePath, size: UInt64?) throws -> PoolDevice {
        guard let device else {
            return .loop(try BackingFile.attach(file, expectedSize: size ?? 0, isReadOnly: access == .readOnly))
        }
        let opened = try BlockDevice(FilePath(device), access == .readOnly ? .readOnly : .readWrite)
        let holders = try DeviceHolder.holders(of: opened.number).map(\.description)
        guard holders.isEmpty else {
            throw LayerStoreError(
                .backingStore,
                "\(device) is in use already by \(holders.joined(separator: ", ")); two pools on it destroy it")
        }
        return .block(opened)
    }

    /// Checks that a pool which somebody else made holds nothing of anybody else's.
    ///
    /// - Returns: What keeps others, who make a store of another root on it, from finding the same until it is closed.
    func claimForeignPool(_ pool: ThinPool) throws -> FileDescriptor {
        let claim = try FileDescriptor.open(try DeviceNode.path(of: pool.number), .readOnly, options: .closeOnExec)
        guard flock(claim.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            try? claim.close()
            throw LayerStoreError(.busy, "somebody else is making a store on the pool \(pool.name)")
        }
        do {
            try requireNew(pool)
        } catch {
            try? claim.close()
            throw error
        }
        return claim
    }

    private func requireNew(_ pool: ThinPool) throws {
        guard case .available(let state) = try pool.status() else { return }
        guard state.data.used == 0, state.transactionID == 0 else {
            throw LayerStoreError(
                .foreignDevice,
                "the pool \(pool.name) is not new: it has \(state.data.used) used data blocks and the transaction id "
                    + "\(state.transactionID). Name a pool that nothing else has used")
        }
    }
}
