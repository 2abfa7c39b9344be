internal import ArgumentParser
internal import DeviceMapper
internal import SystemPackage

/// The command `dm info`.
struct DMInfo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Print the state of a device, or of all devices.")

    @OptionGroup var devices: DeviceListing

    @Flag(help: "Count the targets of the table that was loaded and is not active yet.")
    var inactive = false

    @OptionGroup var options: OutputOptions

    func run() throws {
        let control = try Control()
        try devices.print(from: control, to: options.output) { device in
            InfoRecord(inactive ? try control.information(on: .name(device.name), inactive: true) : device)
        }
    }
}

/// The state of a device.
struct InfoRecord: DeviceRecord {
    let name: String
    let uuid: String?
    let number: String
    let node: String
    let isSuspended: Bool
    let isReadOnly: Bool
    let isRemovalDeferred: Bool
    let hasActiveTable: Bool
    let hasInactiveTable: Bool
    let openCount: Int
    let eventNumber: UInt32
    let targetCount: UInt32
    /// In sectors; there is none before the first table.
    let readAhead: UInt64?

    enum CodingKeys: String, CodingKey {
        case name, uuid, number, node
        case isSuspended = "suspended"
        case isReadOnly = "read_only"
        case isRemovalDeferred = "deferred_remove"
        case hasActiveTable = "active_table"
        case hasInactiveTable = "inactive_table"
        case openCount = "open_count"
        case eventNumber = "event_number"
        case targetCount = "target_count"
        case readAhead = "read_ahead"
    }

    init(_ device: DeviceInformation) {
        name = device.name.description
        uuid = device.uuid?.description
        number = device.number.description
        node = device.node.string
        isSuspended = device.isSuspended
        isReadOnly = device.isReadOnly
        isRemovalDeferred = device.isRemovalDeferred
        hasActiveTable = device.hasActiveTable
        hasInactiveTable = device.hasInactiveTable
        openCount = device.openCount
        eventNumber = device.eventNumber
        targetCount = device.targetCount
        readAhead = ReadAhead.sectors(of: device.number).map { UInt64(clamping: $0) }
    }

    var text: String {
        let state =
            (isSuspended ? "SUSPENDED" : "ACTIVE") + (isReadOnly ? " (READ-ONLY)" : "")
            + (isRemovalDeferred ? " (DEFERRED REMOVE)" : "")
        let tables = (hasActiveTable ? ["LIVE"] : []) + (hasInactiveTable ? ["INACTIVE"] : [])
        var lines = ["Name:              \(name)", "State:             \(state)"]
        if let readAhead { lines.append("Read Ahead:        \(readAhead)") }
        lines += [
            "Tables present:    \(tables.isEmpty ? "None" : tables.joined(separator: " & "))",
            "Open count:        \(openCount)",
            "Event number:      \(eventNumber)",
            "Major, minor:      \(number.replacing(":", with: ", "))",
            "Number of targets: \(targetCount)",
        ]
        if let uuid { lines.append("UUID: \(uuid)") }
        return lines.joined(separator: "\n") + "\n"
    }

    var textAmongOthers: String { text }
}
