internal import ArgumentParser
internal import DeviceMapper

/// The command `dm load`.
struct DMLoad: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Load a table into a device; the next resume makes it active.")

    @OptionGroup var device: DeviceArgument
    @OptionGroup var source: TableSource
    @OptionGroup var options: OutputOptions

    func run() throws {
        let (control, device) = (try Control(), try device.reference())
        try control.loadTable(try source.read(), into: device)
        try options.output.print(json: InfoRecord(try control.information(on: device)), text: nil)
    }
}
