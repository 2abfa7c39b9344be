internal import ArgumentParser
internal import DeviceMapper

/// The command `dm ls`.
struct DMList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List the devices with their numbers.")

    @Option(help: "Only devices whose names begin with this.")
    var prefix = ""

    @Option(help: "Only devices whose DM uuids begin with this.")
    var uuidPrefix = ""

    @OptionGroup var filter: TargetFilter
    @OptionGroup var options: OutputOptions

    private struct Record: Encodable {
        let name: String
        let uuid: String?
        let number: String
        let eventNumber: UInt32?

        enum CodingKeys: String, CodingKey {
            case name, uuid, number
            case eventNumber = "event_number"
        }

        init(_ device: DeviceListEntry) {
            name = device.name.description
            uuid = device.uuid?.description
            number = device.number.description
            eventNumber = device.eventNumber
        }

        var text: String { "\(name)\t(\(number))" }
    }

    func run() throws {
        let control = try Control()
        let devices = try control.devices(withPrefix: prefix, uuidPrefix: uuidPrefix)
        let records = try devices.filter { try has(filter, $0, control) }.map(Record.init)
        try options.output.print(list: records, text: records.map(\.text))
    }

    /// Whether a device has a segment of the target that is asked for.
    private func has(_ filter: TargetFilter, _ device: DeviceListEntry, _ control: Control) throws -> Bool {
        guard filter.target != nil else { return true }
        do {
            return try control.table(of: .number(device.number)).entries.contains { filter.takes($0.target.type) }
        } catch {
            // It may have been removed since it was listed.
            guard error.code == .noSuchDevice else { throw error }
            return false
        }
    }
}
