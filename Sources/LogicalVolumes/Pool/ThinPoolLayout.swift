internal import DeviceMapper
internal import SystemCalls

/// How Docker has a volume group divided into a pool.
public struct ThinPoolLayout: Hashable, Sendable {
    /// The share of the group's extents for data, in percent.
    public var dataPercent: Int
    /// The share for metadata, in percent; as much again is kept for lvm2's repairs.
    public var metadataPercent: Int
    /// When and by how much the pool is to be extended.
    public var autoextend: AutoextendSettings
    /// Whether the kernel fills a new block of the pool with zeros first; Docker's does not.
    public var zeroesNewBlocks = false

    /// Makes a layout.
    public init(dataPercent: Int = 95, metadataPercent: Int = 1, autoextend: AutoextendSettings) {
        self.dataPercent = dataPercent
        self.metadataPercent = metadataPercent
        self.autoextend = autoextend
    }

    static let extentSize = Sectors(8192)
    private static let blockSize = Sectors(1024)

    /// The most that a pool can use: 255 index entries, each for 16,320 blocks of 4 KiB.
    static func mostMetadataExtents(_ extentSize: Sectors) -> UInt64 {
        (255 * (16384 - 64) * 8 + extentSize.count - 1) / extentSize.count
    }

    /// Adds the pool and its parts to a group of one physical volume.
    func adding(_ name: ThinPoolVolume, profile: String, to group: VolumeGroup) throws -> VolumeGroup {
        let total = group.extentCount
        let metadata = min(
            max(1, total * UInt64(metadataPercent) / 100), Self.mostMetadataExtents(group.extentSize))
        let data = total * UInt64(dataPercent) / 100
        guard data > 0, data + metadata <= total else {
            throw LogicalVolumeError(
                .noSpace,
                "\(total) extents of \(group.extentSize.bytes >> 20) MiB are too few for \(dataPercent) % of data and \(metadata) "
                    + "of metadata; take a larger device")
        }
        let host = VolumeGroupMetadata.hostName
        let time = UInt64(clamping: time(nil))
        let physical = group.physicalVolumes[0].name
        var next: UInt64 = 0
        func linear(_ count: UInt64) -> [ConfigurationNode] {
            defer { next += count }
            return [VolumeGroup.segment(1, start: 0, ExtentRange(physicalVolume: physical, start: next, count: count))]
        }
        let pool = ConfigurationNode(
            "segment1",
            [
                ConfigurationNode("start_extent", 0), ConfigurationNode("extent_count", data),
                ConfigurationNode("type", quoting: "thin-pool"),
                ConfigurationNode("metadata", quoting: "\(name.name)_tmeta"),
                ConfigurationNode("pool", quoting: "\(name.name)_tdata"), ConfigurationNode("transaction_id", 0),
                ConfigurationNode("chunk_size", Self.blockSize.count),
                ConfigurationNode("discards", quoting: "passdown"),
            ] + (zeroesNewBlocks ? [ConfigurationNode("zero_new_blocks", 1)] : []))
        var volumes = [
            NewLogicalVolume(name: name.name, isVisible: true, profile: profile, segments: [pool]),
            NewLogicalVolume(name: "\(name.name)_tdata", segments: linear(data)),
            NewLogicalVolume(name: "\(name.name)_tmeta", segments: linear(metadata)),
        ]
        if total - data - metadata >= metadata {
            volumes.append(NewLogicalVolume(name: "lvol0_pmspare", segments: linear(metadata)))
        }
        var group = group
        for volume in volumes { group = try group.adding(volume, host: host, time: time) }
        return group
    }
}
