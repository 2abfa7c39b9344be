internal import DeviceMapper

/// A range of extents of a physical volume.
public struct ExtentRange: Hashable, Sendable {
    /// The name of the physical volume within the text.
    public let physicalVolume: String
    /// The first extent.
    public let start: UInt64
    /// How many.
    public let count: UInt64

    var end: UInt64 { start + count }
}

extension VolumeGroup {
    /// The extents that logical volumes have, in order.
    ///
    /// - Throws: ``LogicalVolumeError/Code/damagedMetadata`` when two of them have the same, or one lies outside of its
    ///   physical volume.
    func usedExtents() throws(LogicalVolumeError) -> [ExtentRange] {
        let physicalVolumes = Dictionary(physicalVolumes.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let names = Set(logicalVolumes.map(\.name))
        var used: [ExtentRange] = []
        for volume in logicalVolumes {
            for segment in volume.segments {
                guard case .striped(let areas, _) = segment.kind else { continue }
                let count = segment.extentCount / UInt64(areas.count)
                for area in areas {
                    guard let physical = physicalVolumes[area.name] else {
                        guard names.contains(area.name) else {
                            throw LogicalVolumeError(
                                .damagedMetadata,
                                "the logical volume \(volume.name) is on \(area.name), which is not there")
                        }
                        continue
                    }
                    guard area.startExtent <= physical.extentCount, count <= physical.extentCount - area.startExtent
                    else {
                        throw LogicalVolumeError(
                            .damagedMetadata, "the logical volume \(volume.name) reaches past the end of \(area.name)")
                    }
                    used.append(ExtentRange(physicalVolume: area.name, start: area.startExtent, count: count))
                }
            }
        }
        used.sort { ($0.physicalVolume, $0.start) < ($1.physicalVolume, $1.start) }
        for (first, second) in zip(used, used.dropFirst())
        where first.physicalVolume == second.physicalVolume && first.end > second.start {
            throw LogicalVolumeError(
                .damagedMetadata, "two logical volumes have extent \(second.start) of \(second.physicalVolume)")
        }
        return used
    }

    /// The extents that no logical volume has and that may be given to one, in the order of the physical volumes.
    ///
    /// - Throws: ``LogicalVolumeError/Code/refusedChange`` when the extents of some logical volume are not known.
    public func freeExtents() throws(LogicalVolumeError) -> [ExtentRange] {
        try requireChangeable()
        let used = Dictionary(grouping: try usedExtents(), by: \.physicalVolume)
        var free: [ExtentRange] = []
        for physical in physicalVolumes where physical.isAllocatable {
            var next: UInt64 = 0
            for range in used[physical.name] ?? [] {
                if range.start > next {
                    free.append(ExtentRange(physicalVolume: physical.name, start: next, count: range.start - next))
                }
                next = range.end
            }
            if next < physical.extentCount {
                free.append(ExtentRange(physicalVolume: physical.name, start: next, count: physical.extentCount - next))
            }
        }
        return free
    }

    /// How many extents are free.
    public func freeExtentCount() throws(LogicalVolumeError) -> UInt64 {
        try freeExtents().reduce(0) { $0 + $1.count }
    }

    /// How many extents all physical volumes have together.
    public var extentCount: UInt64 { physicalVolumes.reduce(0) { $0 + $1.extentCount } }

    /// Refuses a change to a group that has something that is not understood.
    ///
    /// - Throws: ``LogicalVolumeError/Code/refusedChange``.
    func requireChangeable() throws(LogicalVolumeError) {
        guard let obstacle else { return }
        throw LogicalVolumeError(
            .refusedChange, "the volume group \(name) must be changed with lvm2's own tools: \(obstacle)")
    }

    /// Chooses free extents for a logical volume: those right behind its end first, and then the others in order.
    ///
    /// - Throws: ``LogicalVolumeError/Code/noSpace`` with how many are free.
    func allocate(_ count: UInt64, behind last: ExtentRange? = nil) throws(LogicalVolumeError) -> [ExtentRange] {
        var free = try freeExtents()
        if let last,
            let index = free.firstIndex(where: {
                $0.physicalVolume == last.physicalVolume && $0.start == last.end
            })
        {
            free.insert(free.remove(at: index), at: 0)
        }
        var chosen: [ExtentRange] = []
        var missing = count
        for range in free where missing > 0 {
            let part = min(missing, range.count)
            chosen.append(ExtentRange(physicalVolume: range.physicalVolume, start: range.start, count: part))
            missing -= part
        }
        guard missing == 0 else {
            throw LogicalVolumeError(
                .noSpace,
                "the volume group \(name) has \(count - missing) free extents of \(extentSize.bytes >> 20) MiB, and \(count) "
                    + "are needed; add a device")
        }
        return chosen
    }
}
