internal import ArgumentParser
internal import DeviceMapper

extension DM {
    /// The command `dm status`.
    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status",
            abstract: "Print the status of each target of a device, or of all devices.",
            discussion: """
                Unlike dmsetup, a thin pool is not made to write its metadata first: that takes three flushes of its \
                disks and holds up everything that uses the pool. The figures may therefore be a second old; --flush \
                gives exact ones.
                """)

        @OptionGroup var devices: DeviceListing

        @Flag(help: "Let a thin pool write its metadata first.")
        var flush = false

        @OptionGroup var options: OutputOptions

        func run() throws {
            let control = try Control()
            try devices.print(from: control, to: options.output) { device in
                StatusRecord(device, status: try control.status(of: .name(device.name), flushing: flush))
            }
        }
    }
}

/// The status of a device.
private struct StatusRecord: DeviceRecord {
    struct Segment: Encodable {
        let start: UInt64
        let length: UInt64
        let target: String
        let status: String
    }

    let name: String
    let number: String
    let segments: [Segment]

    init(_ device: DeviceInformation, status: [TargetLine]) {
        name = device.name.description
        number = device.number.description
        segments = status.map {
            Segment(start: $0.start.count, length: $0.length.count, target: $0.type, status: $0.text)
        }
    }

    private var lines: [String] {
        segments.map { "\($0.start) \($0.length) \($0.target) \($0.status)" }
    }

    var text: String { lines.joined(separator: "\n") }

    var textAmongOthers: String {
        (lines.isEmpty ? [""] : lines).map { "\(name): \($0)" }.joined(separator: "\n")
    }
}
