internal import ArgumentParser
internal import DeviceMapper

/// The command `dm create`.
struct DMCreate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Create a device, load its table and make it active.",
        discussion: "Prints the device's node. When a step fails, the device is removed again.")

    @Argument(help: "The new device's name.", transform: { try DeviceName($0) })
    var name: DeviceName

    @Option(
        help: ArgumentHelp("The DM uuid that the device gets.", valueName: "uuid"),
        transform: { try DeviceUUID($0) })
    var uuid: DeviceUUID?

    @Option(help: ArgumentHelp("The minor number that the device gets.", valueName: "number"))
    var minor: UInt32?

    @OptionGroup var source: TableSource

    @Flag(help: "Only create the device; “load” and “resume” follow.")
    var noTable = false

    @OptionGroup var readAhead: ReadAheadOption
    @OptionGroup var udev: UdevOptions
    @OptionGroup var options: OutputOptions

    func validate() throws {
        if noTable, source.isGiven || readAhead.readAhead != nil {
            throw ValidationError("With --no-table there is no table that other options could be about.")
        }
    }

    func run() throws {
        let control = try Control()
        let device: DeviceInformation
        if noTable {
            device = try control.createDevice(name, uuid: uuid, minor: minor)
        } else {
            let table = try source.read()
            device = try udev.notifying { notice in
                try control.activateDevice(name, uuid: uuid, minor: minor, table: table, udev: notice)
            }
        }
        readAhead.apply(to: device)
        let record = InfoRecord(device)
        try options.output.print(json: record, text: record.node)
    }
}
