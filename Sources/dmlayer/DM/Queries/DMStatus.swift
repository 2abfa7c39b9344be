internal import ArgumentParser
internal import DeviceMapper

/// The command `dm status`.
struct DMStatus: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Print the status of each target of a device, or of all devices.",
        discussion: """
            Unlike dmsetup, a thin pool is not made to write its metadata first: that takes three flushes of its \
            disks and holds up everything that uses the pool. The figures may therefore be a second old; --flush \
            gives exact ones.
            """)

    @OptionGroup var devices: DeviceListing

    @Flag(help: "Let a thin pool write its metadata first.")
    var flush = false

    @OptionGroup var slot: TableSlot
    @OptionGroup var filter: TargetFilter
    @OptionGroup var options: OutputOptions

    func run() throws {
        try devices.printLines(.status, to: options.output, filter) { control, device in
            (try control.status(of: device, inactive: slot.inactive, flushing: flush), nil)
        }
    }
}

/// Which table of a device a command is about.
struct TableSlot: ParsableArguments {
    @Flag(help: "The table that was loaded and is not active yet.")
    var inactive = false
}
