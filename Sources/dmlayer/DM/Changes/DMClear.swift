internal import ArgumentParser
internal import DeviceMapper

/// The command `dm clear`.
struct DMClear: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clear",
        abstract: "Drop the table that was loaded into a device and is not active yet.")

    @OptionGroup var device: DeviceArgument
    @OptionGroup var options: OutputOptions

    func run() throws {
        let (control, device) = (try Control(), try device.reference())
        try control.clearTable(of: device)
        try options.output.print(json: InfoRecord(try control.information(on: device)), text: nil)
    }
}
