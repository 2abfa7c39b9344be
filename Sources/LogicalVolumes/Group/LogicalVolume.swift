public import DeviceMapper

/// A logical volume, visible or a part of another.
public struct LogicalVolume: Hashable, Sendable {
    /// The name within the volume group.
    public let name: String
    /// The uuid, the second half of the DM uuid of its device.
    public let id: LVMIdentifier
    /// The words that lvm2 must know to use it, such as `READ`, `WRITE` and `VISIBLE`.
    public let status: Set<String>
    /// The words that lvm2 may ignore, such as `ERROR_WHEN_FULL`.
    public let flags: Set<String>
    /// The segments, from the first extent on without a gap.
    public let segments: [Segment]
    /// The words that a person has attached to it.
    public let tags: Set<String>
    /// The name of the profile with settings of its own, if it has one.
    public let profile: String?

    /// How many extents it has.
    public var extentCount: UInt64 { segments.reduce(0) { $0 + $1.extentCount } }

    /// The pool that it is, if it is one.
    public var thinPool: ThinPoolSegment? {
        guard segments.count == 1, case .thinPool(let pool) = segments[0].kind else { return nil }
        return pool
    }

    /// Whether writes to its device fail at once when the pool that it is has no space left.
    var errorWhenFull: Bool { flags.contains("ERROR_WHEN_FULL") }

    init(_ name: String, _ section: ConfigurationSection, extentSize: Sectors) throws(LogicalVolumeError) {
        self.name = name
        guard VolumeGroup.isName(name) else { throw section.error("", "no logical volume can have this name") }
        id = try section.identifier("id")
        status = try section.words("status")
        flags = try section.words("flags")
        tags = try section.words("tags")
        profile = try section.stringIfPresent("profile")
        let count = try section.number("segment_count")
        var segments: [Segment] = []
        var next: UInt64 = 0
        for (_, subsection) in try section.sections() {
            let segment = try Segment(subsection)
            guard segment.startExtent == next else {
                throw subsection.error("start_extent", "it is \(segment.startExtent), and \(next) would follow")
            }
            next += segment.extentCount
            segments.append(segment)
        }
        guard UInt64(segments.count) == count, count > 0 else {
            throw section.error("segment_count", "it says \(count), and there are \(segments.count)")
        }
        let (length, overflow) = next.multipliedReportingOverflow(by: extentSize.count)
        guard !overflow, length <= VolumeGroup.largestDevice.count else {
            throw section.error("segment_count", "it is larger than any device")
        }
        self.segments = segments
    }
}

/// A range of extents of a logical volume, and what they are made of.
public struct Segment: Hashable, Sendable {
    /// A range of extents of a physical volume, or of another logical volume.
    public struct Area: Hashable, Sendable {
        /// The name of the physical volume within the text, or of the logical volume.
        public let name: String
        /// The first extent there.
        public let startExtent: UInt64
    }

    /// The types of segments.
    public enum Kind: Hashable, Sendable {
        /// Distributed over areas in chunks; with one area it is linear.
        case striped([Area], chunk: Sectors)
        /// A thin pool on two other logical volumes.
        case thinPool(ThinPoolSegment)
        /// A thin device of lvm2's own in a pool.
        case thin(pool: String)
        /// Fails, or reads as zeros: it takes no extents.
        case empty(type: String)
        /// Anything else, which is left to lvm2.
        case other(type: String)
    }

    /// The first extent within the logical volume.
    public let startExtent: UInt64
    /// The number of extents.
    public let extentCount: UInt64
    /// The type of the segment.
    public let kind: Kind

    init(_ section: ConfigurationSection) throws(LogicalVolumeError) {
        startExtent = try section.number("start_extent")
        extentCount = try section.number("extent_count")
        guard extentCount > 0, extentCount <= VolumeGroup.mostExtents, startExtent <= VolumeGroup.mostExtents else {
            throw section.error("extent_count", "\(extentCount) extents from \(startExtent) on cannot be")
        }
        switch try section.string("type") {
        case "striped", "linear": kind = try Self.striped(section, extentCount)
        case "thin-pool": kind = .thinPool(try ThinPoolSegment(section))
        case "thin": kind = .thin(pool: try section.string("thin_pool"))
        case let type where type == "error" || type == "zero": kind = .empty(type: type)
        case let type: kind = .other(type: type)
        }
    }

    private static func striped(_ section: ConfigurationSection, _ extents: UInt64) throws(LogicalVolumeError) -> Kind {
        let count = try section.number("stripe_count")
        let values = try section.list("stripes")
        guard count > 0, count <= 128, values.count == Int(count) * 2, extents.isMultiple(of: count) else {
            throw section.error("stripes", "they are not \(count) areas that \(extents) extents can lie on")
        }
        var areas: [Area] = []
        for index in stride(from: 0, to: values.count, by: 2) {
            guard case .string(let name) = values[index], case .number(let start) = values[index + 1],
                start <= VolumeGroup.mostExtents
            else { throw section.error("stripes", "they are no pairs of a name and an extent") }
            areas.append(Area(name: name, startExtent: start))
        }
        let chunk = try section.number("stripe_size", default: 0)
        guard count == 1 || (chunk > 0 && chunk <= VolumeGroup.largestDevice.count) else {
            throw section.error("stripe_size", "it cannot be \(chunk)")
        }
        return .striped(areas, chunk: Sectors(chunk))
    }
}
