internal import ArgumentParser
internal import DeviceMapper

/// The command `dm measure`.
struct DMMeasure: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure",
        abstract: "Print the text about each target that the kernel gives to its integrity measurement (IMA).",
        discussion: "The kernel can tell it since Linux 5.15.")

    @OptionGroup var devices: DeviceListing
    @OptionGroup var slot: TableSlot
    @OptionGroup var filter: TargetFilter
    @OptionGroup var options: OutputOptions

    func run() throws {
        try devices.printLines(.measurement, to: options.output, filter) { control, device in
            (try control.measurements(of: device, inactive: slot.inactive), nil)
        }
    }
}
