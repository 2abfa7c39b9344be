internal import DeviceMapper
internal import LayerStore
internal import LogicalVolumes

/// The volume group of a pool, as `pool status` prints it.
struct PoolVolumeGroup {
    private let group: VolumeGroup
    private let settings: AutoextendSettings
    private let refusal: String?

    /// Reads the volume group; `nil` when the pool is none of LVM's, or its volume group cannot be read.
    init?(_ report: PoolReport) {
        // The report is complete without the lines about a volume group that cannot be read.
        guard report.isForeign, let volume = ThinPoolVolume(report.name), let read = try? volume.read() else {
            return nil
        }
        (group, settings, refusal) = read
    }

    /// How many extents are free; `nil` where the group is not to be changed.
    // The refusal says why the count is missing.
    private var free: UInt64? { refusal == nil ? try? group.freeExtentCount() : nil }

    /// Why the group is not changed, if there is a reason.
    private var obstacle: String? { refusal ?? group.obstacle }

    private var devices: [String] { group.physicalVolumes.map { $0.deviceHint ?? $0.id.description } }

    var rows: [[String]] {
        let free = free.map {
            "\($0) of \(group.extentCount) extents free (\(ByteSize.decimal($0 * group.extentSize.bytes)))"
        }
        let unchanged = obstacle.map { "not changed: \($0)" } ?? ""
        let growth = settings.threshold < 100 ? "by \(settings.percent)% from \(settings.threshold)% on" : "never"
        return [
            ["Volume group:", "\(group.name) on \(devices.joined(separator: ", ")): \(free ?? unchanged)"],
            ["Extended:", "\(growth), while “pool monitor” or dmeventd runs"],
        ]
    }

    var json: JSONValue {
        .object([
            "name": .text(group.name), "devices": .list(devices.map { .text($0) }),
            "extent_size": .number(group.extentSize.bytes), "extents": .number(group.extentCount),
            "free_extents": free.map { .number($0) }, "obstacle": obstacle.map { .text($0) },
            "autoextend_threshold": .number(UInt64(settings.threshold)),
            "autoextend_percent": .number(UInt64(settings.percent)),
        ])
    }
}
