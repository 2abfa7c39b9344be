internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage
public import ThinProvisioning

/// The state of a store: what `docker info` shows of the devicemapper driver.
public struct StoreStatus: Hashable, Sendable {
    /// The name of the pool's device.
    public let poolName: String
    /// The size of a block of the pool in bytes.
    public let blockSize: UInt64
    /// The size of the base device in bytes.
    public let baseSize: UInt64
    /// The file system of the layers.
    public let filesystem: StorageOptions.Filesystem
    /// The path of the data device.
    public let dataDevice: String
    /// The path of the metadata device.
    public let metadataDevice: String
    /// The file behind the data device, if there is one.
    public let dataFile: String?
    /// The file behind the metadata device, if there is one.
    public let metadataFile: String?
    /// Whether somebody else made the pool; then its devices are not shown.
    public let isForeignPool: Bool
    /// The use of the pool's data; zero when the pool has failed.
    public let data: SpaceUsage
    /// The use of the pool's metadata; zero when the pool has failed.
    public let metadata: SpaceUsage
    /// How many bytes of data must be free to make a layer.
    public let minimumFree: UInt64
    /// Whether the device of a layer in use goes away when it is closed.
    public let defersRemoval: Bool
    /// Whether a layer in use is deleted later.
    public let defersDeletion: Bool
    /// How many layers were removed whose data is not deleted yet.
    public let deferredDeletions: Int
    /// The accesses that the pool allows its devices; `nil` when it has failed.
    public let mode: ThinPoolState.Mode?
    /// Whether the pool's metadata must be checked before the pool can be changed again.
    public let needsCheck: Bool
    /// Whether the pool fills a new block with zeros before a layer gets it.
    public let zeroesNewBlocks: Bool

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        poolName: String, blockSize: UInt64, baseSize: UInt64, filesystem: StorageOptions.Filesystem,
        dataDevice: String, metadataDevice: String, dataFile: String? = nil, metadataFile: String? = nil,
        isForeignPool: Bool, data: SpaceUsage, metadata: SpaceUsage, minimumFree: UInt64, defersRemoval: Bool,
        defersDeletion: Bool, deferredDeletions: Int, mode: ThinPoolState.Mode? = nil, needsCheck: Bool,
        zeroesNewBlocks: Bool
    ) {
        self.poolName = poolName
        self.blockSize = blockSize
        self.baseSize = baseSize
        self.filesystem = filesystem
        self.dataDevice = dataDevice
        self.metadataDevice = metadataDevice
        self.dataFile = dataFile
        self.metadataFile = metadataFile
        self.isForeignPool = isForeignPool
        self.data = data
        self.metadata = metadata
        self.minimumFree = minimumFree
        self.defersRemoval = defersRemoval
        self.defersDeletion = defersDeletion
        self.deferredDeletions = deferredDeletions
        self.mode = mode
        self.needsCheck = needsCheck
        self.zeroesNewBlocks = zeroesNewBlocks
    }

    /// The use of a device in bytes.
    public struct SpaceUsage: Hashable, Sendable {
        /// The bytes in use.
        public let used: UInt64
        /// The size of the device.
        public let total: UInt64
        /// The bytes that can still be used: never more than the file system under a loop file has.
        public let available: UInt64

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(used: UInt64, total: UInt64, available: UInt64) {
            self.used = used
            self.total = total
            self.available = available
        }
    }

    /// The rows of `docker info`, with the same names in the same order.
    public var rows: [(name: String, value: String)] {
        // Docker leaves out what it does not know.
        let devices: [(name: String, value: String?)] = [
            ("Data file", isForeignPool ? nil : dataDevice), ("Metadata file", isForeignPool ? nil : metadataDevice),
            ("Data loop file", dataFile), ("Metadata loop file", metadataFile),
        ]
        return [
            ("Pool Name", poolName),
            ("Pool Blocksize", ByteSize.decimal(blockSize)),
            ("Base Device Size", ByteSize.decimal(baseSize)),
            ("Backing Filesystem", filesystem.rawValue),
            // Nothing here waits for udev; the row stays for those who look for it.
            ("Udev Sync Supported", "false"),
        ] + devices.compactMap { row in row.value.map { (row.name, $0) } } + [
            ("Data Space Used", ByteSize.decimal(data.used)),
            ("Data Space Total", ByteSize.decimal(data.total)),
            ("Data Space Available", ByteSize.decimal(data.available)),
            ("Metadata Space Used", ByteSize.decimal(metadata.used)),
            ("Metadata Space Total", ByteSize.decimal(metadata.total)),
            ("Metadata Space Available", ByteSize.decimal(metadata.available)),
            ("Thin Pool Minimum Free Space", ByteSize.decimal(minimumFree)),
            ("Deferred Removal Enabled", "\(defersRemoval)"),
            ("Deferred Deletion Enabled", "\(defersDeletion)"),
            ("Deferred Deleted Device Count", "\(deferredDeletions)"),
            ("Library Version", "\(libraryName)"),
            // Docker has no such row, so it stands behind all of Docker's.
            ("Zero New Blocks", "\(zeroesNewBlocks)"),
        ]
    }

    private var libraryName: String { "swift-devicemapper" }
}

/// Finds out the state of a store.
struct StatusReporting {
    let core: StoreCore

    /// The state of the store.
    ///
    /// It takes no lock where the pool is active, and commits nothing.
    func run() throws -> StoreStatus {
        core.resumeAbandoned()
        return try core.readingPool(report)
    }

    private func report(on pool: ThinPool) throws -> StoreStatus {
        let (configuration, directory) = (core.configuration, core.directory)
        let target = try pool.target().target
        let lost = try core.pool.backing.lostFiles(of: pool).map(\.path)
        let dataFile = configuration.pool.dataFileSize.map { _ in directory.dataFile }
        let metadataFile = configuration.pool.metadataFileSize.map { _ in directory.metadataFile }
        func usage(_ usage: BlockUsage?, of file: FilePath?) throws -> StoreStatus.SpaceUsage {
            try Self.usage(usage, of: file.flatMap { lost.contains($0) ? nil : $0 })
        }
        var state: ThinPoolState?
        if case .available(let available) = try pool.status() { state = available }
        return StoreStatus(
            poolName: pool.name.description, blockSize: pool.blockSize.bytes,
            baseSize: try core.registry.record(of: .base)?.size ?? configuration.baseSize,
            filesystem: configuration.filesystem, dataDevice: try DeviceNode.path(of: target.dataDevice),
            metadataDevice: try DeviceNode.path(of: target.metadataDevice), dataFile: dataFile?.string,
            metadataFile: metadataFile?.string, isForeignPool: core.pool.named != nil,
            data: try usage(state?.data, of: dataFile), metadata: try usage(state?.metadata, of: metadataFile),
            minimumFree: state.map { state in
                state.data.minimumFree(percent: configuration.minimumFreeSpacePercent) * state.data.bytesPerBlock
            } ?? 0,
            defersRemoval: configuration.defersRemoval, defersDeletion: configuration.defersDeletion,
            deferredDeletions: try core.registry.unfinishedRemovals().count,
            mode: state?.mode, needsCheck: state?.needsCheck ?? false,
            zeroesNewBlocks: !target.features.contains(.skipBlockZeroing))
    }

    private static func usage(_ usage: BlockUsage?, of file: FilePath?) throws -> StoreStatus.SpaceUsage {
        guard let usage else { return StoreStatus.SpaceUsage(used: 0, total: 0, available: 0) }
        return StoreStatus.SpaceUsage(
            used: usage.usedBytes, total: usage.totalBytes,
            available: try file.map { min(usage.freeBytes, try PoolFile.freeSpace(under: $0)) } ?? usage.freeBytes)
    }
}

extension DeviceNode {
    /// The path of a device that the kernel names in a table.
    static func path(of device: TargetDevice) throws -> String {
        switch device {
        case .number(let number): try path(of: number).string
        case .path(let path): path
        }
    }
}
