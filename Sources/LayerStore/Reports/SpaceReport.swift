internal import DeviceMapper
internal import SystemCalls
internal import SystemPackage
public import ThinProvisioning

/// The space that a thin device takes in the pool, in bytes.
public struct LayerSpace: Hashable, Sendable, Encodable {
    /// The size of all blocks that the device has in the pool.
    public let mapped: UInt64
    /// The size of the blocks that no other device has; the deletion of the device frees them.
    public let exclusive: UInt64
    /// The size of the blocks that at least one other device has too.
    public let shared: UInt64

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(mapped: UInt64, exclusive: UInt64, shared: UInt64) {
        self.mapped = mapped
        self.exclusive = exclusive
        self.shared = shared
    }

    init(_ device: ThinDataMap.Device, _ blockSize: UInt64) {
        mapped = device.mapped * blockSize
        exclusive = device.exclusive * blockSize
        shared = device.shared * blockSize
    }

    init(_ device: ThinDeviceSharing, _ blockSize: UInt64) {
        mapped = device.mapped * blockSize
        exclusive = device.exclusive * blockSize
        shared = device.shared * blockSize
    }
}

/// How the layers use the space of a pool.
public struct SpaceReport: Hashable, Sendable {
    /// The space of each layer.
    public let layers: [LayerID: LayerSpace]
    /// The space of the thin devices that belong to removed layers, and wait until nothing uses them.
    public let removed: [ThinDeviceID: LayerSpace]
    /// The space of the thin devices that belong to nothing that the store knows.
    public let unknown: [ThinDeviceID: LayerSpace]
    /// The size of the data device in bytes.
    public let size: UInt64
    /// How many bytes are used.
    public let used: UInt64
    /// How many bytes are in blocks that several devices share; each block is counted once.
    public let shared: UInt64

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        layers: [LayerID: LayerSpace] = [:], removed: [ThinDeviceID: LayerSpace] = [:],
        unknown: [ThinDeviceID: LayerSpace] = [:], size: UInt64, used: UInt64, shared: UInt64
    ) {
        self.layers = layers
        self.removed = removed
        self.unknown = unknown
        self.size = size
        self.used = used
        self.shared = shared
    }
}

/// How a layer uses the space of the pool, and which layers share its blocks.
public struct LayerSpaceReport: Hashable, Sendable {
    /// The layer.
    public let id: LayerID
    /// The size of its device in bytes.
    public let size: UInt64
    /// The space that it takes in the pool.
    public let space: LayerSpace
    /// How many bytes the layer shares with each other layer, the largest share first.
    public let sharedWith: [Share]
    /// How many bytes the files of its file system use; `nil` where it is not mounted.
    public let filesystemUse: UInt64?

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(id: LayerID, size: UInt64, space: LayerSpace, sharedWith: [Share] = [], filesystemUse: UInt64? = nil) {
        self.id = id
        self.size = size
        self.space = space
        self.sharedWith = sharedWith
        self.filesystemUse = filesystemUse
    }

    /// The space that the layer shares with another thin device.
    public struct Share: Hashable, Sendable {
        /// The other thin device.
        public let device: ThinDeviceID
        /// Its layer; `nil` where the store knows none.
        public let layer: LayerID?
        /// How many bytes.
        public let bytes: UInt64

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(device: ThinDeviceID, layer: LayerID? = nil, bytes: UInt64) {
            self.device = device
            self.layer = layer
            self.bytes = bytes
        }
    }
}

/// Reads how the layers use the space of the pool.
struct SpaceReporting {
    let core: StoreCore

    func run() throws -> SpaceReport {
        // The names are read before and after the metadata, because layers may be made and removed meanwhile.
        let before = try core.registry.layersByDevice()
        let (map, unit) = try ReadPoolMetadata(core: core).run { metadata in
            (try metadata.dataMap(parts: 1), metadata.superblock.blockSize.bytes)
        }
        let names = try core.registry.layersByDevice().merging(before) { now, _ in now }
        let removals = Set(try core.registry.unfinishedRemovals().map(\.deviceID))
        var (layers, removed): ([LayerID: LayerSpace], [ThinDeviceID: LayerSpace]) = ([:], [:])
        var unknown: [ThinDeviceID: LayerSpace] = [:]
        for device in map.devices {
            let space = LayerSpace(device, unit)
            if let id = names[device.id] {
                layers[id] = space
            } else if removals.contains(device.id) {
                removed[device.id] = space
            } else {
                unknown[device.id] = space
            }
        }
        return SpaceReport(
            layers: layers, removed: removed, unknown: unknown, size: map.dataBlocks * unit,
            used: (map.dataBlocks - map.free) * unit, shared: map.shared * unit)
    }

    func run(_ id: LayerID) throws -> LayerSpaceReport {
        let record = try core.existing(id)
        let (sharing, unit) = try ReadPoolMetadata(core: core).run { metadata in
            (try metadata.sharing(of: record.deviceID), metadata.superblock.blockSize.bytes)
        }
        let names = try core.registry.layersByDevice()
        let sharedWith = sharing.others.map { device, blocks in
            LayerSpaceReport.Share(device: device, layer: names[device], bytes: blocks * unit)
        }
        return LayerSpaceReport(
            id: id, size: record.size, space: LayerSpace(sharing, unit),
            sharedWith: sharedWith.sorted { ($1.bytes, $0.device) < ($0.bytes, $1.device) },
            filesystemUse: try filesystemUse(id, record))
    }

    private func filesystemUse(_ id: LayerID, _ record: LayerRecord) throws -> UInt64? {
        guard let active = try core.devices.present(record.deviceID), try core.mounts.isMounted(active, of: id) else {
            return nil
        }
        var status = statvfs()
        try systemCall { unsafe statvfs(core.directory.mountPoint(of: id).string, &status) }
        return UInt64(status.f_blocks - status.f_bfree) * UInt64(status.f_frsize)
    }
}
