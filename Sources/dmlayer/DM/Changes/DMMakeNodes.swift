internal import ArgumentParser
internal import DeviceMapper

/// The command `dm mknodes`.
struct DMMakeNodes: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mknodes",
        abstract: "Make the missing nodes of devices in /dev/mapper, and remove those whose devices have gone.",
        discussion: """
            It is for machines on which no udevd makes links there, and prints each node that it makes or removes. With \
            a name, it looks at the node of this device only.
            """)

    @Argument(help: "The device's name. Without one: all devices.", transform: { try DeviceName(existing: $0) })
    var device: DeviceName?

    @Option(name: .customLong("uid"), help: ArgumentHelp("The owner of new nodes. (default: 0)", valueName: "number"))
    var user: UInt32?

    @Option(
        name: .customLong("gid"),
        help: ArgumentHelp("The group of new nodes. (default: 6, which is “disk”)", valueName: "number"))
    var group: UInt32?

    @Option(
        help: ArgumentHelp("The mode of new nodes. (default: 660)", valueName: "octal"),
        transform: { text in
            guard let mode = UInt32(text, radix: 8), mode <= 0o777 else {
                throw ValidationError("a mode is an octal number of up to three digits")
            }
            return mode
        })
    var mode: UInt32?

    @OptionGroup var options: OutputOptions

    private var owner: MapperDirectory.Owner {
        let disks = MapperDirectory.Owner.disks
        return MapperDirectory.Owner(user: user ?? disks.user, group: group ?? disks.group, mode: mode ?? disks.mode)
    }

    func run() throws {
        let nodes = MapperDirectory.usual
        let control = try Control()
        let devices = try control.devices()
        var (made, removed): ([String], [String]) = ([], [])
        for present in devices where device == nil || device == present.name {
            // A device that has no table yet has no node in /dev either, and gets one here all the same, as with dmsetup.
            if try nodes.make("\(present.name)", present.number, owner) { made.append("\(present.name)") }
        }
        if let device, !devices.contains(where: { $0.name == device }) {
            if nodes.remove("\(device)") { removed = ["\(device)"] }
        } else if device == nil {
            removed = nodes.removeAll(except: Set(devices.map(\.name.description)))
        }
        let lines = made.map { "made /dev/mapper/\($0)" } + removed.map { "removed /dev/mapper/\($0)" }
        try options.output.print(
            json: JSONValue.object(["made": .texts(made), "removed": .texts(removed)]),
            text: lines.isEmpty ? nil : lines.joined(separator: "\n"))
    }
}
