internal import ArgumentParser
internal import DeviceMapper

extension DM {
    /// The command `dm ls`.
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls",
            abstract: "List the devices with their numbers.")

        @Option(help: "Only devices whose names begin with this.")
        var prefix = ""

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
            let records = try Control().devices(withPrefix: prefix).map(Record.init)
            try options.output.print(list: records, text: records.map(\.text))
        }
    }
}
