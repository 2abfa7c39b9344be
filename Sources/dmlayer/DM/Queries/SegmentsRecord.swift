internal import ArgumentParser
internal import DeviceMapper

/// The lines of a device's table, status or measurement.
struct SegmentsRecord: DeviceRecord {
    private let device: DeviceInformation
    private let kind: TargetLineKind
    private let isReadOnly: Bool?
    private let segments: [TargetLine]

    /// - Parameters:
    ///   - device: The device.
    ///   - kind: The kind of the lines, which decides how the JSON calls their text.
    ///   - segments: The lines.
    ///   - isReadOnly: Whether the table is read-only, where that is told.
    init(_ device: DeviceInformation, _ kind: TargetLineKind, _ segments: [TargetLine], isReadOnly: Bool? = nil) {
        self.device = device
        self.kind = kind
        self.segments = segments
        self.isReadOnly = isReadOnly
    }

    var isEmpty: Bool { segments.isEmpty }

    private var key: String {
        switch kind {
        case .status: "status"
        case .table: "parameters"
        case .measurement: "measurement"
        }
    }

    func encode(to encoder: any Encoder) throws {
        let list = segments.map { segment in
            JSONValue.object([
                "start": .number(segment.start.count), "length": .number(segment.length.count),
                "target": .text(segment.type), key: .text(segment.text),
            ])
        }
        try JSONValue.object([
            "name": .text("\(device.name)"), "number": .text("\(device.number)"),
            "read_only": isReadOnly.map(JSONValue.bool), "segments": .list(list),
        ]).encode(to: encoder)
    }

    var text: String { segments.map(\.description).joined(separator: "\n") }

    var textAmongOthers: String {
        (isEmpty ? [""] : segments.map(\.description)).map { "\(device.name): \($0)" }.joined(separator: "\n")
    }
}

/// Which targets a command is about.
struct TargetFilter: ParsableArguments {
    @Option(help: ArgumentHelp("Only segments of this target, and devices that have one.", valueName: "name"))
    var target: String?

    func takes(_ type: String) -> Bool { target == nil || target == type }
}
