public import DeviceMapper

/// A volume group: the values of the text on its physical volumes, and the text itself.
///
/// Parts of lvm2's text that this type does not understand stay in the text, byte for byte.
public struct VolumeGroup: Hashable, Sendable {
    /// The name.
    public let name: String
    /// The uuid, the first half of the DM uuid of every device.
    public let id: LVMIdentifier
    /// Counts the changes: of several texts about a group the one with the highest number is in force.
    public let sequenceNumber: UInt64
    /// The length of an extent.
    public let extentSize: Sectors
    /// The physical volumes, in the order of the text.
    public let physicalVolumes: [PhysicalVolume]
    /// The logical volumes, in the order of the text.
    public let logicalVolumes: [LogicalVolume]
    /// The words that a person has attached to it.
    public let tags: Set<String>
    /// The machine that the group belongs to, if it belongs to one: lvm2's `system_id`.
    public let systemID: String?
    /// Why no machine may use the group without lvm2 now, if there is a reason: it must be neither activated nor changed.
    ///
    /// ``systemID`` is another reason on every machine but one. ``VolumeGroupMetadata`` decides both.
    public let refusal: String?
    /// Why the group must not be changed, if there is a reason; ``refusal`` is one of them.
    public let obstacle: String?

    /// The section about the group.
    let node: ConfigurationNode
    /// Other parts of the text, which say when and by what it was written, and what nobody here knows.
    let remainder: [ConfigurationNode]

    /// Larger than any device that the kernel has.
    static let largestDevice = Sectors(1 << 54)
    static let mostExtents: UInt64 = 1 << 40

    /// Reads a text.
    ///
    /// - Throws: ``LogicalVolumeError/Code/damagedMetadata`` with the place of what does not fit together.
    public init(parsing text: [UInt8]) throws(LogicalVolumeError) {
        var reader = ConfigurationReader(text)
        let nodes = try reader.takeNodes().nodes
        let sections = nodes.filter { $0.children != nil }
        guard sections.count == 1, let node = sections.first else {
            throw LogicalVolumeError(
                .damagedMetadata, "a text about one volume group has one section, and this one has \(sections.count)")
        }
        try self.init(node, remainder: nodes.filter { $0.children == nil })
    }

    init(_ node: ConfigurationNode, remainder: [ConfigurationNode]) throws(LogicalVolumeError) {
        self.node = node
        self.remainder = remainder
        name = node.name
        let section = try ConfigurationSection(node.name, node.children ?? [])
        guard Self.isName(name) else { throw section.error("", "no volume group can have this name") }
        id = try section.identifier("id")
        sequenceNumber = try section.number("seqno")
        extentSize = Sectors(try section.number("extent_size"))
        guard extentSize.count > 0, extentSize.count <= 1 << 32 else {
            throw section.error("extent_size", "no extents have \(extentSize) sectors")
        }
        var physical: [PhysicalVolume] = []
        for (name, subsection) in try section.section("physical_volumes").sections() {
            physical.append(try PhysicalVolume(name, subsection, extentSize: extentSize))
        }
        guard Set(physical.map(\.id)).count == physical.count else {
            throw section.error("physical_volumes", "two of them have the same uuid")
        }
        var logical: [LogicalVolume] = []
        if section.has("logical_volumes") {
            for (name, subsection) in try section.section("logical_volumes").sections() {
                logical.append(try LogicalVolume(name, subsection, extentSize: extentSize))
            }
        }
        guard Set(logical.map(\.id)).count == logical.count else {
            throw section.error("logical_volumes", "two of them have the same uuid")
        }
        physicalVolumes = physical
        logicalVolumes = logical
        tags = try section.words("tags")
        let systemID = try section.stringIfPresent("system_id")
        self.systemID = systemID?.isEmpty == true ? nil : systemID
        let refusal = try Self.refusal(section, physical, logical, remainder)
        self.refusal = refusal
        obstacle = if let refusal { refusal } else { try Self.obstacle(section, physical, logical) }
        _ = try usedExtents()
    }

    /// Whether a volume group or logical volume can have a name.
    public static func isName(_ name: String) -> Bool {
        guard (1...127).contains(name.utf8.count), name != ".", name != "..", name.utf8.first != UInt8(ascii: "-")
        else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "+_.-".utf8.contains(byte)
            }
        }
    }

    /// Finds a logical volume.
    ///
    /// - Throws: ``LogicalVolumeError/Code/notFound``.
    public func logicalVolume(_ name: String) throws(LogicalVolumeError) -> LogicalVolume {
        guard let volume = logicalVolumes.first(where: { $0.name == name }) else {
            throw LogicalVolumeError(.notFound, "the volume group \(self.name) has no logical volume \(name)")
        }
        return volume
    }

    // MARK: Names in the kernel

    /// The name of a logical volume's device: each dash within a name is doubled.
    public func deviceName(of volume: LogicalVolume) -> String {
        Self.deviceName(group: name, volume: volume.name)
    }

    static func deviceName(group: String, volume: String) -> String {
        [group, volume].map { $0.split(separator: "-", omittingEmptySubsequences: false).joined(separator: "--") }
            .joined(separator: "-")
    }

    /// The two names that a device's name consists of, or nothing when it is not of that form.
    public static func names(inDeviceName text: String) -> (group: String, volume: String)? {
        // A dash alone, with no other beside it, stands between the two.
        let parts = Array(text.utf8)
        var position = 0
        while position < parts.count {
            guard parts[position] == UInt8(ascii: "-") else {
                position += 1
                continue
            }
            if position + 1 < parts.count, parts[position + 1] == UInt8(ascii: "-") {
                position += 2
                continue
            }
            let names = [parts[..<position], parts[(position + 1)...]].map { part in
                String(decoding: part, as: UTF8.self).split(separator: "--", omittingEmptySubsequences: false)
                    .joined(separator: "-")
            }
            guard names.allSatisfy(isName), deviceName(group: names[0], volume: names[1]) == text else { return nil }
            return (names[0], names[1])
        }
        return nil
    }

    /// The DM uuid of a logical volume's device; `layer` is lvm2's suffix of a part that is not the volume itself.
    public func deviceUUID(of volume: LogicalVolume, layer: String?) -> String {
        "LVM-\(id.compact)\(volume.id.compact)" + (layer.map { "-\($0)" } ?? "")
    }
}
