internal import ArgumentParser
internal import DeviceMapper

/// The command `dm wipe-table`.
struct DMWipeTable: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wipe-table",
        abstract: "Give a device a table of the same length on which every request fails.",
        discussion: """
            Programs that wait for the device get an error, and the devices below it are free. A device whose requests \
            never end, such as a full pool's, needs --no-flush.
            """)

    @OptionGroup var device: DeviceArgument
    @OptionGroup var suspension: SuspensionOptions
    @OptionGroup var options: OutputOptions

    func run() throws {
        let (control, device) = (try Control(), try device.reference())
        try control.wipeTable(of: device, options: suspension.options)
        try options.output.print(json: InfoRecord(try control.information(on: device)), text: nil)
    }
}
