internal import DeviceMapper

/// A thin pool that is a logical volume, by the names of its group and its own.
public struct ThinPoolVolume: Hashable, Sendable, CustomStringConvertible {
    /// The name of the volume group.
    public let group: String
    /// The name of the logical volume.
    public let name: String
    /// The uuid of the volume group where it is known: another group of the same name is then not meant.
    public var groupID: LVMIdentifier?

    /// Names a pool.
    public init(group: String, name: String) {
        self.group = group
        self.name = name
    }

    /// Reads what people call a pool: `GROUP/NAME`, `/dev/GROUP/NAME`, `/dev/mapper/GROUP-NAME` or `GROUP-NAME`.
    ///
    /// - Returns: `nil` when the text cannot be the name of a logical volume.
    public init?(_ text: String) {
        var text = Substring(text)
        for prefix in ["/dev/mapper/", "/dev/"] where text.hasPrefix(prefix) {
            text = text.dropFirst(prefix.count)
            break
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        switch parts.count {
        case 1:
            guard let names = VolumeGroup.names(inDeviceName: parts[0]) else { return nil }
            self.init(group: names.group, name: names.volume)
        case 2 where parts.allSatisfy(VolumeGroup.isName): self.init(group: parts[0], name: parts[1])
        default: return nil
        }
    }

    /// `GROUP/NAME`.
    public var description: String { "\(group)/\(name)" }

    /// The name of its device.
    public var deviceName: String { VolumeGroup.deviceName(group: group, volume: name) }

    /// Finds the pool on the devices of the machine.
    ///
    /// - Throws: ``LogicalVolumeError/Code/notFound``, ``LogicalVolumeError/Code/unsupported`` when it is no thin pool.
    func locate() throws -> LocatedThinPool {
        try LocatedThinPool(self, in: try VolumeGroupMetadata.find(group, id: groupID))
    }

    /// Finds the pool for something that activates or changes it.
    ///
    /// - Throws: ``LogicalVolumeError/Code/refusedGroup`` when another machine may use its group, and what ``locate()``
    ///   throws.
    func locateForUse() throws -> LocatedThinPool {
        let metadata = try VolumeGroupMetadata.find(group, id: groupID)
        try metadata.requireOurs()
        return try LocatedThinPool(self, in: metadata)
    }

    /// Reads the pool's volume group and the settings of its extension.
    ///
    /// - Returns: The group, the settings that say when the pool is to be extended, and the reason why this machine
    ///   neither activates nor changes the group, if there is one.
    public func read() throws -> (group: VolumeGroup, settings: AutoextendSettings, refusal: String?) {
        let located = try locate()
        return (located.metadata.group, try .of(profile: located.pool.profile), located.metadata.refusal)
    }
}

/// A thin pool with the logical volumes that it is made of, and the devices that they are on.
struct LocatedThinPool {
    var metadata: VolumeGroupMetadata
    let pool: LogicalVolume
    let segment: ThinPoolSegment
    let dataVolume: LogicalVolume
    let metadataVolume: LogicalVolume

    init(_ name: ThinPoolVolume, in metadata: VolumeGroupMetadata) throws(LogicalVolumeError) {
        let group = metadata.group
        pool = try group.logicalVolume(name.name)
        guard let segment = pool.thinPool else {
            if case .other(let type)? = pool.segments.first?.kind, type.hasPrefix("thin-pool+") {
                throw LogicalVolumeError(
                    .unsupported,
                    "the pool \(name) is of the type \(type), which changes its tables, and lvm2 must activate it: “lvchange "
                        + "-ay \(name)”")
            }
            throw LogicalVolumeError(.unsupported, "the logical volume \(name) is not a thin pool")
        }
        self.metadata = metadata
        self.segment = segment
        dataVolume = try group.logicalVolume(segment.data)
        metadataVolume = try group.logicalVolume(segment.metadata)
    }

    /// The same pool after a change of its group.
    func reread() throws(LogicalVolumeError) -> LocatedThinPool {
        try LocatedThinPool(ThinPoolVolume(group: metadata.group.name, name: pool.name), in: metadata)
    }

    /// One of the thin devices that lvm2 keeps in the pool, if there are any.
    var thinVolume: LogicalVolume? {
        metadata.group.logicalVolumes.first { volume in
            volume.segments.contains { $0.kind == .thin(pool: pool.name) }
        }
    }

    var poolUUID: String { metadata.group.deviceUUID(of: pool, layer: "tpool") }

    /// The name of the pool's device: lvm2 puts another one on top of it where it has thin devices of its own.
    var poolDeviceName: String { metadata.group.deviceName(of: pool) + (thinVolume == nil ? "" : "-tpool") }

    // MARK: Tables

    /// The table of the data or the metadata volume.
    ///
    /// - Throws: ``LogicalVolumeError/Code/missingDevice``, ``LogicalVolumeError/Code/unsupported``.
    func table(of volume: LogicalVolume, isReadOnly: Bool = false) throws -> MappingTable {
        let group = metadata.group
        var entries: [TableEntry] = []
        for segment in volume.segments {
            guard case .striped(let areas, let chunk) = segment.kind else {
                throw LogicalVolumeError(
                    .unsupported,
                    "the logical volume \(volume.name) is of a type that lvm2 must activate: “lvchange -ay \(group.name)/\(pool.name)”"
                )
            }
            let length = segment.extentCount / UInt64(areas.count) * group.extentSize.count
            var parts: [DeviceArea] = []
            for area in areas {
                guard let physical = group.physicalVolumes.first(where: { $0.name == area.name }) else {
                    throw LogicalVolumeError(
                        .unsupported,
                        "the logical volume \(volume.name) is on another one, \(area.name), and lvm2 must activate it: "
                            + "“lvchange -ay \(group.name)/\(pool.name)”")
                }
                let device = try metadata.device(of: physical)
                guard let number = device.number else {
                    throw LogicalVolumeError(.failed, "\(device.path) is no device")
                }
                let start = physical.extentStart.count + area.startExtent * group.extentSize.count
                let size = Sectors(wholeSectorsIn: try device.storage.size())
                guard start + length <= size.count else {
                    throw LogicalVolumeError(
                        .missingDevice,
                        "\(device.path) has \(size) sectors, and the logical volume \(volume.name) reaches to \(start + length): "
                            + "the device was made smaller, or is another one")
                }
                parts.append(DeviceArea(device: .number(number), start: Sectors(start)))
            }
            entries.append(
                TableEntry(
                    start: Sectors(segment.startExtent * group.extentSize.count),
                    length: Sectors(segment.extentCount * group.extentSize.count),
                    target: areas.count == 1
                        ? Target(LinearTarget(parts[0])) : Target(StripedTarget(chunk: chunk, stripes: parts))))
        }
        return MappingTable(entries, isReadOnly: isReadOnly)
    }

    /// The table of the pool on its two devices.
    func poolTable(
        metadata metadataDevice: DeviceNumber, data: DeviceNumber, isReadOnly: Bool = false
    ) throws(LogicalVolumeError) -> MappingTable {
        let length = pool.extentCount * metadata.group.extentSize.count
        let blocks = length / segment.blockSize.count
        var features = pool.errorWhenFull ? segment.features.union(.errorIfNoSpace) : segment.features
        if isReadOnly { features.insert(.readOnly) }
        let settings = try AutoextendSettings.of(profile: pool.profile)
        return MappingTable(
            ThinPoolTarget(
                metadataDevice: .number(metadataDevice), dataDevice: .number(data), blockSize: segment.blockSize,
                lowWaterMark: settings.lowWaterMark(ofBlocks: blocks), features: features), length: Sectors(length))
    }
}
