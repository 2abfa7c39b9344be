internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import Glibc
internal import LogicalVolumes
internal import SystemPackage
internal import ThinProvisioning

/// Before and after the base device: what a new store needs, and how an `init` that failed is undone.
extension LayerStore {
    // MARK: Beforehand

    /// Refuses what cannot work, before anything is made.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidOption``, ``LayerStoreError/Code/backingStore``,
    ///   ``LayerStoreError/Code/foreignDevice``.
    func requireWhatIsNeeded() throws {
        try configuration.requireSizes()
        let type = configuration.filesystem.type
        try FilesystemMaker.program(for: type)
        guard type.isKnownToKernel else {
            throw LayerStoreError(
                .failed,
                "the kernel has no \(type.rawValue); load its module with “modprobe \(type.rawValue)”, or name another file "
                    + "system in dm.fs")
        }
        if configuration.pool.poolDevice != nil {
            if configuration.pool.directLVM == nil, let pool = try activePool() { try claimForeignPool(pool).close() }
            return
        }
        try requireEmptyDevices()
    }

    private func requireEmptyDevices() throws {
        let pool = configuration.pool
        if let data = pool.dataDevice.map({ FilePath($0) }), let metadata = pool.metadataDevice.map({ FilePath($0) }),
            let one = try? Stat(data), let other = try? Stat(metadata), one.type == .blockSpecial,
            one.specialDeviceID == other.specialDeviceID
        {
            throw LayerStoreError(
                .backingStore,
                "dm.datadev=\(data) and dm.metadatadev=\(metadata) are the same device; a pool needs two")
        }
        let data = try pool.dataDevice.map { try emptyDevice($0, "dm.datadev", holds: DeviceContent.probe) }
        defer { data?.close() }
        let metadata = try pool.metadataDevice.map { path in
            try emptyDevice(path, "dm.metadatadev") { device in
                // The kernel takes anything but zeros there for the metadata of a pool.
                let found = try DeviceContent.probe(device)
                let start = try device.read(offset: 0, count: Int(BlockUsage.metadataBlockSize))
                return found.isEmpty && start.contains { $0 != 0 } ? ["data in its first 4096 bytes"] : found
            }
        }
        defer { metadata?.close() }
        if let data {
            let size = try data.size()
            guard size >= configuration.blockSize else {
                throw LayerStoreError(
                    .backingStore,
                    "\(data.path) has \(size) bytes, less than a block of the pool (dm.blocksize=\(configuration.blockSize)); "
                        + "name a larger device in dm.datadev")
            }
        }
        if let metadata {
            let size = try metadata.size()
            guard size >= StoreConfiguration.leastMetadata else {
                throw LayerStoreError(
                    .backingStore,
                    "\(metadata.path) has \(size) bytes, and the metadata of a pool needs \(StoreConfiguration.leastMetadata); "
                        + "name a larger device in dm.metadatadev")
            }
        }
    }

    /// Opens a device for nobody else, if it is empty.
    private func emptyDevice(
        _ path: String, _ option: String, holds: (BlockDevice) throws -> [String]
    ) throws -> BlockDevice {
        let device: BlockDevice
        do {
            device = try BlockDevice(FilePath(path), .readWrite, isExclusive: true)
        } catch {
            guard error.code == .inUse else {
                throw LayerStoreError(
                    .backingStore, "\(option)=\(path) cannot be used: \(error)", underlying: error)
            }
            let users = (try? BlockDevice(FilePath(path))).map { DeviceUser.users(of: $0.number).map(LayerUser.init) }
            throw LayerStoreError(
                .backingStore,
                "\(option)=\(path) is in use already\(users.map { $0.isEmpty ? "" : " by \($0.sentence)" } ?? ""); "
                    + "name a device that nothing uses", underlying: error)
        }
        let content = try holds(device)
        guard content.isEmpty else {
            throw LayerStoreError(
                .backingStore,
                "\(option)=\(path) holds \(content.joined(separator: " and ")), which would be destroyed; name an empty device, "
                    + "or clear this one with “wipefs --all \(path)” and “dd if=/dev/zero of=\(path) bs=4096 count=1” if nobody "
                    + "needs what is there")
        }
        return device
    }

    // MARK: The plan

    /// What is going to be made, as far as it would have to be taken away again.
    func planMaking() throws -> StoreMaking {
        var making = StoreMaking()
        let pool = configuration.pool
        for (size, file) in [
            (pool.dataFileSize, directory.dataFile), (pool.metadataFileSize, directory.metadataFile),
        ] where size != nil && (try? Stat(file, followTargetSymlink: false)) == nil {
            making.files.append(file.lastComponent?.string ?? "")
        }
        making.devices = [pool.dataDevice, pool.metadataDevice].compactMap(\.self)
        if pool.directLVM != nil { making.isVolumeGroupNew = try !ThinPoolVolume.docker.groupExists() }
        making.wasPoolActive = try pool.poolDevice != nil && activePool() != nil
        return making
    }

    /// Makes the pool's files.
    func makeFiles() throws {
        if let size = configuration.pool.dataFileSize { try BackingFile.make(directory.dataFile, size: size) }
        if let size = configuration.pool.metadataFileSize {
            try BackingFile.make(directory.metadataFile, size: size)
            try Self.reserve(directory.metadataFile, used: 0)
        }
    }

    // MARK: Undoing

    /// Takes away what an `init` has made, whatever of it there is; the caller has the store alone.
    ///
    /// `store.json` goes last, so that this can be repeated. It stays when something else could not be taken away.
    ///
    /// - Parameter failures: What could not be taken away, and why.
    func undo(_ making: StoreMaking, _ holder: StoreLock.Holder, _ failures: inout [String]) {
        func step(_ body: () throws -> Void) {
            do { try body() } catch { failures.append("\(error)") }
        }
        let record = try? metadata.record(of: .base)
        step { try takeLayersDown() }
        if configuration.pool.poolDevice == nil {
            // In files that were there before, the base device goes; where the pool does not answer, it goes with the files.
            if let record, let pool = try? activePool() { _ = try? deleteUnlessBusy(record.deviceID, in: pool) }
            step { if let error = try failure(removing: poolUUID(), control()) { throw error } }
        } else {
            step { try leavePool(record, making) }
        }
        if making.isVolumeGroupNew, let options = configuration.pool.directLVM {
            step { try removeVolumeGroup(options) }
        }
        guard failures.isEmpty else { return }
        for name in making.files { step { try DurableDirectory(directory.loopFiles).remove(name) } }
        for path in making.devices { step { try clear(path) } }
        step { try forgetBaseDevice() }
        guard failures.isEmpty else { return }
        step {
            let root = try DurableDirectory(directory.root)
            try root.removeTemporaryFiles()
            try root.remove(StoreConfiguration.fileName)
            try root.synchronize()
        }
    }

    private func takeLayersDown() throws {
        let control = try control()
        for device in try control.devices(withPrefix: directory.devicePrefix) {
            guard let information = try control.informationIfPresent(on: .number(device.number)),
                let number = thinDevice(information.uuid)
            else { continue }
            try deactivate(.base, number)
        }
    }

    /// Deletes the base device in a pool that stays, and leaves the pool as it was.
    private func leavePool(_ record: LayerRecord?, _ making: StoreMaking) throws {
        guard let path = configuration.pool.poolDevice else { return }
        if try activePool() == nil {
            // A pool that is not there, or not to be had, has nothing of this store.
            guard record != nil, (try? activateLogicalVolume(path)) == true else { return }
        }
        guard let pool = try activePool() else { return }
        let numbers = try record.map { [$0.deviceID] } ?? allocator.reservedIDs(metadata.directory.names()).sorted()
        for number in numbers {
            guard try deleteUnlessBusy(number, in: pool) else {
                throw LayerStoreError(.busy, "the thin device \(number) in the pool \(pool.name) is in use")
            }
        }
        if !making.wasPoolActive, let volume = ThinPoolVolume(path) { try volume.deactivate(try control()) }
    }

    private func removeVolumeGroup(_ options: DirectLVMOptions) throws {
        try ThinPoolVolume.docker.remove(from: options.device, layout: options.layout, try control())
        let root = try DurableDirectory(directory.root)
        try root.remove(DirectLVMOptions.fileName)
    }

    /// Makes a device of the pool empty again, as it was.
    private func clear(_ path: String) throws {
        let device = try BlockDevice(FilePath(path), .readWrite, isExclusive: true)
        defer { device.close() }
        try DeviceContent.wipe(device)
        try device.flush()
    }

    /// Takes the files of the base device away, and the reservations of numbers: there is no layer.
    private func forgetBaseDevice() throws {
        try allocator.removeReservations()
        try metadata.forgetBaseDevice()
    }
}

extension StoreConfiguration {
    /// The least that the metadata of a pool can be made with, in bytes, as for lvm2.
    static let leastMetadata: UInt64 = 2 << 20

    /// The least size of a base device in bytes: mkfs.xfs refuses less, and an ext4 has no journal.
    private var leastBaseSize: UInt64 {
        switch filesystem {
        case .ext4: 16 << 20
        case .xfs: 300 << 20
        }
    }

    /// Refuses sizes that no store can be made with.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidOption``.
    func requireSizes() throws(LayerStoreError) {
        func refuse(_ option: String, _ size: UInt64, _ reason: String) -> LayerStoreError {
            LayerStoreError(.invalidOption, "\(option)=\(size) cannot be used: \(reason)")
        }
        guard baseSize >= leastBaseSize else {
            throw refuse("dm.basesize", baseSize, "\(filesystem.rawValue) needs \(leastBaseSize >> 20)m at least")
        }
        guard baseSize % 512 == 0 else {
            let below = baseSize / 512 * 512
            throw refuse(
                "dm.basesize", baseSize,
                "a device has whole sectors of 512 bytes; take \(below)b or \(below + 512)b")
        }
        if let size = pool.dataFileSize, size < blockSize {
            throw refuse("dm.loopdatasize", size, "the pool has blocks of \(blockSize) bytes (dm.blocksize)")
        }
        if let size = pool.metadataFileSize, size < Self.leastMetadata {
            throw refuse(
                "dm.loopmetadatasize", size, "the metadata of a pool needs \(Self.leastMetadata >> 20)m at least")
        }
    }
}
