internal import ArgumentParser
internal import DeviceMapper

/// The command `dm table`.
struct DMTable: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "table",
        abstract: "Print the mapping table of a device, or of all devices.",
        discussion: "What is printed for one device can be given to create and load.")

    @OptionGroup var devices: DeviceListing
    @OptionGroup var slot: TableSlot

    @Flag(
        name: [.customLong("show-keys"), .customLong("showkeys")],
        help: "Print the keys of encrypted devices instead of zeros.")
    var showKeys = false

    @OptionGroup var filter: TargetFilter
    @OptionGroup var options: OutputOptions

    func run() throws {
        try devices.printLines(.table, to: options.output, filter) { control, device in
            let table = try control.table(of: device, inactive: slot.inactive)
            let lines = (showKeys ? table : table.redacted).entries.map {
                TargetLine(start: $0.start, length: $0.length, type: $0.target.type, text: $0.target.parameters)
            }
            return (lines, table.isReadOnly)
        }
    }
}
