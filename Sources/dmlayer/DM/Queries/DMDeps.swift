internal import ArgumentParser
internal import DeviceMapper

/// The command `dm deps`.
struct DMDeps: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deps",
        abstract: "Print the devices that the table of a device uses, or those of all devices.")

    @OptionGroup var devices: DeviceListing
    @OptionGroup var slot: TableSlot
    @OptionGroup var options: OutputOptions

    func run() throws {
        let control = try Control()
        try devices.print(from: control, to: options.output) { device in
            DependenciesRecord(
                device, dependencies: try control.dependencies(of: .name(device.name), inactive: slot.inactive))
        }
    }
}

/// The devices that a device uses.
private struct DependenciesRecord: DeviceRecord {
    let name: String
    let number: String
    let dependencies: [String]
    private let list: String

    enum CodingKeys: CodingKey {
        case name, number, dependencies
    }

    init(_ device: DeviceInformation, dependencies: [DeviceNumber]) {
        name = device.name.description
        number = device.number.description
        self.dependencies = dependencies.map(\.description)
        list = dependencies.map { " (\($0.major), \($0.minor))" }.joined()
    }

    var text: String { "\(dependencies.count) dependencies\t:\(list)" }

    var textAmongOthers: String { "\(name): \(text)" }
}
