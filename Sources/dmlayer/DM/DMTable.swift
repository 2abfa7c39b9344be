internal import ArgumentParser
internal import DeviceMapper

extension DM {
    /// The command `dm table`.
    struct Table: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "table",
            abstract: "Print the mapping table of a device, or of all devices.",
            discussion: "What is printed for one device can be given to create and load.")

        @OptionGroup var devices: DeviceListing

        @Flag(help: "The table that was loaded and is not active yet.")
        var inactive = false

        @Flag(
            name: [.customLong("show-keys"), .customLong("showkeys")],
            help: "Print the keys of encrypted devices instead of zeros.")
        var showKeys = false

        @OptionGroup var options: OutputOptions

        func run() throws {
            let control = try Control()
            try devices.print(from: control, to: options.output) { device in
                let table = try control.table(of: .name(device.name), inactive: inactive)
                return TableRecord(device, table: showKeys ? table : table.redacted)
            }
        }
    }
}

/// The mapping table of a device.
private struct TableRecord: DeviceRecord {
    struct Segment: Encodable {
        let start: UInt64
        let length: UInt64
        let target: String
        let parameters: String
    }

    let name: String
    let number: String
    let isReadOnly: Bool
    let segments: [Segment]

    enum CodingKeys: String, CodingKey {
        case name, number, segments
        case isReadOnly = "read_only"
    }

    init(_ device: DeviceInformation, table: MappingTable) {
        name = device.name.description
        number = device.number.description
        isReadOnly = table.isReadOnly
        segments = table.entries.map {
            Segment(
                start: $0.start.count, length: $0.length.count, target: $0.target.type,
                parameters: $0.target.parameters)
        }
    }

    private var lines: [String] {
        segments.map { "\($0.start) \($0.length) \($0.target) \($0.parameters)" }
    }

    var text: String { lines.joined(separator: "\n") }

    var textAmongOthers: String {
        (lines.isEmpty ? [""] : lines).map { "\(name): \($0)" }.joined(separator: "\n")
    }
}
