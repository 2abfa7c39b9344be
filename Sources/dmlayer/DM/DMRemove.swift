internal import ArgumentParser
internal import DeviceMapper

extension DM {
    /// The command `dm remove`.
    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove",
            abstract: "Remove a device.")

        @OptionGroup var device: DeviceArgument

        @Flag(help: "Let a device that is in use go away when it is closed for the last time.")
        var deferred = false

        @OptionGroup var udev: UdevOptions
        @OptionGroup var options: OutputOptions

        func run() throws {
            let control = try Control()
            let reference = try device.reference()
            let outcome = try udev.notifying { notice in
                try control.removeDevice(reference, deferred: deferred, udev: notice)
            }
            if outcome == .deferred {
                Output.note("\(reference) is in use; it goes away when it is closed for the last time")
            }
            // As the device was named.
            let key =
                switch reference {
                case .name: "name"
                case .uuid: "uuid"
                case .number: "number"
                }
            let value = device.selection.uuid?.description ?? reference.description
            try options.output.print(
                json: [key: value, "state": outcome == .deferred ? "deferred" : "removed"], text: nil)
        }
    }
}
