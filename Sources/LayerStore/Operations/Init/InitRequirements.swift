internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import LogicalVolumes
internal import SystemPackage
internal import ThinProvisioning

/// Checks what a new store needs, before anything is made.
struct InitRequirements {
    let core: StoreCore

    private var configuration: StoreConfiguration { core.configuration }

    /// Refuses what cannot work, before anything is made.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidOption``, ``LayerStoreError/Code/backingStore``,
    ///   ``LayerStoreError/Code/foreignDevice``.
    func check() throws {
        try checkSupport()
        try configuration.requireSizes()
        let type = configuration.filesystem.type
        try FilesystemMaker.program(for: type)
        guard type.isKnownToKernel else {
            throw LayerStoreError(
                .failed,
                "the kernel has no \(type.rawValue); load its module with “modprobe \(type.rawValue)”, or name another file "
                    + "system in dm.fs")
        }
        if core.pool.named != nil {
            if configuration.pool.directLVM == nil, let pool = try core.pool.active() {
                try ForeignPoolClaim(pool).release()
            }
            return
        }
        try requireEmptyDevices()
    }

    private func requireEmptyDevices() throws {
        let pool = configuration.pool
        // A path that cannot be examined is refused below.
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
            // The users only complete the message.
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

    /// Checks that the kernel has what the options ask for.
    func checkSupport() throws {
        let version = try core.kernel.control().version()
        guard configuration.deferredRemovalOption == true, version < Self.deferredRemovalVersion else { return }
        throw LayerStoreError(
            .invalidOption,
            "dm.use_deferred_removal=true needs the kernel's device mapper interface \(Self.deferredRemovalVersion), and "
                + "this is \(version); set dm.use_deferred_removal=false")
    }

    private static let deferredRemovalVersion = InterfaceVersion(major: 4, minor: 27, patch: 0)
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
