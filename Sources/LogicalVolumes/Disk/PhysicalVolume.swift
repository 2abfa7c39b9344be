public import DeviceMapper

/// A physical volume as the text of its volume group describes it.
public struct PhysicalVolume: Hashable, Sendable {
    /// The name within the text, `pv0`.
    public let name: String
    /// The uuid, which the label on the device has too.
    public let id: LVMIdentifier
    /// The path that the device had when the text was written: no more than a hint.
    public let deviceHint: String?
    /// The size of the device when the text was written.
    public let deviceSize: Sectors
    /// Where the first extent begins.
    public let extentStart: Sectors
    /// How many extents it has.
    public let extentCount: UInt64
    /// Whether extents of it may be given to logical volumes.
    public let isAllocatable: Bool
    /// Whether lvm2 has noted that the device was missing when the text was written.
    public let isMissing: Bool
    /// The words that lvm2 must know to use it.
    let status: Set<String>

    init(_ name: String, _ section: ConfigurationSection, extentSize: Sectors) throws(LogicalVolumeError) {
        self.name = name
        id = try section.identifier("id")
        deviceHint = try section.stringIfPresent("device")
        extentStart = Sectors(try section.number("pe_start", default: 0))
        extentCount = try section.number("pe_count")
        let (length, overflow) = extentCount.multipliedReportingOverflow(by: extentSize.count)
        let (end, overflow2) = length.addingReportingOverflow(extentStart.count)
        guard !overflow, !overflow2, end <= VolumeGroup.largestDevice.count, extentCount <= VolumeGroup.mostExtents
        else {
            throw section.error("pe_count", "the extents reach past the end of any device")
        }
        deviceSize = Sectors(try section.number("dev_size", default: end))
        guard deviceSize.count == 0 || end <= deviceSize.count else {
            throw section.error("pe_count", "the extents reach past the end of the device")
        }
        status = try section.words("status")
        isAllocatable = status.contains("ALLOCATABLE")
        // Old versions of lvm2 wrote it into the status.
        isMissing = try status.union(section.words("flags")).contains("MISSING")
    }
}
