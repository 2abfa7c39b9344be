internal import ArgumentParser
internal import DeviceMapper

/// The command `dm rename`.
struct DMRename: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rename",
        abstract: "Give a device another name, or a uuid if it has none.")

    @Argument(help: "The device's name.", transform: { try DeviceName(existing: $0) })
    var device: DeviceName

    @Argument(help: "The new name.", transform: { try DeviceName($0) })
    var newName: DeviceName?

    @Option(
        help: ArgumentHelp("The DM uuid that the device gets for good, instead of a new name.", valueName: "uuid"),
        transform: { try DeviceUUID($0) })
    var setUUID: DeviceUUID?

    @OptionGroup var udev: UdevOptions
    @OptionGroup var options: OutputOptions

    func validate() throws {
        if (newName == nil) == (setUUID == nil) {
            throw ValidationError("Give either a new name or --set-uuid.")
        }
    }

    func run() throws {
        let control = try Control()
        try udev.notifying { notice in
            if let newName { try control.renameDevice(device, to: newName, udev: notice) }
            if let setUUID { try control.setUUID(of: device, to: setUUID, udev: notice) }
        }
        try options.output.print(json: InfoRecord(try control.information(on: .name(newName ?? device))), text: nil)
    }
}
