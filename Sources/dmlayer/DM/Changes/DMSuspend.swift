internal import ArgumentParser
internal import DeviceMapper

/// The command `dm suspend`.
struct DMSuspend: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suspend",
        abstract: "Suspend a device: whatever reads or writes it waits until it is resumed.")

    @OptionGroup var device: DeviceArgument
    @OptionGroup var suspension: SuspensionOptions
    @OptionGroup var options: OutputOptions

    func run() throws {
        let (control, device) = (try Control(), try device.reference())
        try control.suspendDevice(device, options: suspension.options)
        try options.output.print(json: InfoRecord(try control.information(on: device)), text: nil)
    }
}

/// How a device is suspended.
struct SuspensionOptions: ParsableArguments {
    @Flag(help: "Do not wait for outstanding requests; a full thin pool can be suspended in no other way.")
    var noFlush = false

    @Flag(help: "Do not freeze the file system on the device.")
    var skipFreeze = false

    var options: SuspendOptions {
        var options: SuspendOptions = []
        if noFlush { options.insert(.noFlush) }
        if skipFreeze { options.insert(.skipLockFS) }
        return options
    }
}
