internal import DeviceMapper

/// A value of a row, as a text and as a number.
struct DMReportKey {
    let text: String
    let number: Double
}

/// A column of a report.
struct DMReportField: Sendable {
    /// The groups of columns: each has a name that stands for all of its columns.
    enum Group: String, CaseIterable {
        case name, info, deps, splitname, stats, region

        var title: String {
            switch self {
            case .name: "Names"
            case .info: "State of the device"
            case .deps: "Devices below and above"
            case .splitname: "Parts of an lvm2 name"
            case .stats: "Statistics"
            case .region: "Regions of statistics"
            }
        }
    }

    let name: String
    let group: Group
    let heading: String
    /// The least width.
    let width: Int
    /// Whether the values are numbers, which stand on the right and are compared as numbers.
    let isNumber: Bool
    let help: String
    let value: @Sendable (DMReportRow) throws(DMSetupFailed) -> String
    /// Whether the name of the group leaves the column out.
    var isExtra = false
    /// Whether the values are lengths, in megabytes where a selection names no unit.
    var isSize = false
    /// The value that a selection compares where the text is not the number itself; a length in sectors.
    var amount: (@Sendable (DMReportRow) -> Double)?

    init(
        _ group: Group, _ name: String, _ heading: String, _ width: Int, number: Bool = false, extra: Bool = false,
        _ help: String, _ value: @escaping @Sendable (DMReportRow) throws(DMSetupFailed) -> String
    ) {
        (self.name, self.group, self.heading, self.width) = (name, group, heading, width)
        (isNumber, self.help, self.value, isExtra) = (number, help, value, extra)
    }

    static let all = names + states + relations + parts + statistics + regions

    private static let names = [
        DMReportField(.name, "name", "Name", 16, "the name") { row throws(DMSetupFailed) in row.shown },
        DMReportField(.name, "mangled_name", "MangledName", 16, "the name with escapes") { row throws(DMSetupFailed) in
            row.mangled(row.kernelName)
        },
        DMReportField(.name, "unmangled_name", "UnmangledName", 16, "the name without escapes") {
            row throws(DMSetupFailed) in row.unmangled(row.kernelName)
        },
        DMReportField(.name, "uuid", "UUID", 32, "the DM uuid") { row throws(DMSetupFailed) in try row.shownUUID() },
        DMReportField(.name, "mangled_uuid", "MangledUUID", 32, "the DM uuid with escapes") {
            row throws(DMSetupFailed) in row.mangled(row.kernelUUID)
        },
        DMReportField(.name, "unmangled_uuid", "UnmangledUUID", 32, "the DM uuid without escapes") {
            row throws(DMSetupFailed) in row.unmangled(row.kernelUUID)
        },
        DMReportField(.name, "read_ahead", "RAhead", 6, number: true, "sectors that the kernel reads ahead") {
            row throws(DMSetupFailed) in "\(row.information.flatMap { ReadAhead.sectors(of: $0.number) } ?? 0)"
        },
    ]

    private static let states = [
        DMReportField(.info, "blkdevname", "BlkDevName", 16, "the kernel's name of the device") {
            row throws(DMSetupFailed) in try row.blockName()
        },
        DMReportField(.info, "attr", "Stat", 4, "L live table, I inactive table, s suspended, r read-only, w writable")
        {
            row throws(DMSetupFailed) in row.attributes
        },
        DMReportField(.info, "tables_loaded", "Tables", 6, "which tables there are") { row throws(DMSetupFailed) in
            row.tables
        },
        DMReportField(.info, "suspended", "Suspended", 9, "whether it is suspended") { row throws(DMSetupFailed) in
            row.information?.isSuspended == true ? "Suspended" : "Active"
        },
        DMReportField(.info, "readonly", "Read-only", 9, "whether it is read-only") { row throws(DMSetupFailed) in
            row.information?.isReadOnly == true ? "Read-only" : "Writeable"
        },
        DMReportField(.info, "devno", "DevNo", 5, "the device number") { row throws(DMSetupFailed) in
            row.information.map { "\($0.number)" } ?? ""
        },
        DMReportField(.info, "major", "Maj", 3, number: true, "the major number") { row throws(DMSetupFailed) in
            "\(row.information?.number.major ?? 0)"
        },
        DMReportField(.info, "minor", "Min", 3, number: true, "the minor number") { row throws(DMSetupFailed) in
            "\(row.information?.number.minor ?? 0)"
        },
        DMReportField(.info, "open", "Open", 4, number: true, "how often it is open") { row throws(DMSetupFailed) in
            "\(row.information?.openCount ?? 0)"
        },
        DMReportField(.info, "segments", "Targ", 4, number: true, "targets of the table") { row throws(DMSetupFailed) in
            "\(row.information?.targetCount ?? 0)"
        },
        DMReportField(.info, "events", "Event", 6, number: true, "the number of the last event") {
            row throws(DMSetupFailed) in "\(row.information?.eventNumber ?? 0)"
        },
    ]

    private static let relations = [
        DMReportField(.deps, "device_count", "#Devs", 5, number: true, "devices that it uses") {
            row throws(DMSetupFailed) in "\(try row.used().count)"
        },
        DMReportField(.deps, "devs_used", "DevNamesUsed", 16, extra: true, "names of mapped devices that it uses") {
            row throws(DMSetupFailed) in try row.usedNames()
        },
        DMReportField(.deps, "devnos_used", "DevNosUsed", 16, "numbers of devices that it uses") {
            row throws(DMSetupFailed) in try row.used().map { "\($0)" }.joined(separator: ",")
        },
        DMReportField(.deps, "blkdevs_used", "BlkDevNamesUsed", 16, "kernel's names of devices that it uses") {
            row throws(DMSetupFailed) in try row.used().map { BlockName.kernel($0) ?? "" }.joined(separator: ",")
        },
        DMReportField(.deps, "device_ref_count", "#Refs", 5, number: true, extra: true, "mapped devices that use it") {
            row throws(DMSetupFailed) in "\(try row.users().count)"
        },
        DMReportField(.deps, "names_using_dev", "RefNames", 8, extra: true, "names of mapped devices that use it") {
            row throws(DMSetupFailed) in try row.users().map(\.shown).joined(separator: ",")
        },
        DMReportField(.deps, "devnos_using_dev", "RefDevNos", 9, extra: true, "numbers of mapped devices that use it") {
            row throws(DMSetupFailed) in try row.users().compactMap { $0.number.map { "\($0)" } }.joined(separator: ",")
        },
    ]

    private static let parts = [
        DMReportField(.splitname, "subsystem", "Subsys", 6, "the program that made it") { row throws(DMSetupFailed) in
            row.subsystem
        },
        DMReportField(.splitname, "vg_name", "VG", 4, "the volume group") { row throws(DMSetupFailed) in row.split.group
        },
        DMReportField(.splitname, "lv_name", "LV", 4, "the logical volume") { row throws(DMSetupFailed) in
            row.split.volume
        },
        DMReportField(.splitname, "lv_layer", "LVLayer", 7, "the layer of the logical volume") {
            row throws(DMSetupFailed) in row.split.layer
        },
    ]

    /// The column that tells whether a row was selected.
    static let selected = DMReportField(
        .info, "selected", "Selected", 8, number: true, extra: true, "whether the selection takes the row"
    ) { row throws(DMSetupFailed) in row.isSelected ? "1" : "0" }

    /// The value by which rows are sorted and selected.
    func key(_ row: DMReportRow) throws(DMSetupFailed) -> DMReportKey {
        let text = try value(row)
        return DMReportKey(text: text, number: amount?(row) ?? Double(Int(text) ?? 0))
    }

    /// Whether the values belong to a region of statistics; a device alone has none.
    var isOfStatistics: Bool { group == .stats || group == .region }

    /// The list of columns.
    static func help(withTypes: Bool) -> String {
        var text = ""
        for group in Group.allCases {
            text += "\n\(group.title)\n"
            if !withTypes { text += "  \("\(group.rawValue)_all".padded(17)) - all of the following\n" }
            for field in all where field.group == group {
                let type = withTypes ? field.isNumber ? " (number)" : " (text)" : ""
                text += "  \(field.name.padded(17)) - \(field.help)\(type)\n"
            }
        }
        return text + "\nOther\n  selected          - \(selected.help)\n  help              - show this list\n"
    }
}
