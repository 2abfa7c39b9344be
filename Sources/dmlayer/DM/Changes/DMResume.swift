internal import ArgumentParser
internal import DeviceMapper

/// The command `dm resume`.
struct DMResume: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Resume a device; a table that was loaded becomes active.",
        discussion: "The options are about the moment of suspension in which a new table replaces an active one.")

    @OptionGroup var device: DeviceArgument
    @OptionGroup var suspension: SuspensionOptions
    @OptionGroup var readAhead: ReadAheadOption
    @OptionGroup var udev: UdevOptions
    @OptionGroup var options: OutputOptions

    func run() throws {
        let control = try Control()
        let reference = try device.reference()
        let device = try udev.notifying { notice in
            try control.resumeDevice(reference, options: suspension.options, udev: notice)
        }
        readAhead.apply(to: device)
        try options.output.print(json: InfoRecord(device), text: nil)
    }
}
