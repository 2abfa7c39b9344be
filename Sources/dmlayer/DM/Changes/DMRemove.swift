internal import ArgumentParser
internal import DeviceMapper
internal import SystemCalls

/// The command `dm remove`.
struct DMRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a device.")

    @OptionGroup var device: DeviceArgument

    @Flag(help: "Let a device that is in use go away when it is closed for the last time.")
    var deferred = false

    @Flag(help: "Give the device a table on which requests fail first, which ends requests that wait.")
    var force = false

    @Option(
        help: ArgumentHelp("Try again for so many seconds while the device is in use.", valueName: "seconds"))
    var retry: Timeout?

    @OptionGroup var udev: UdevOptions
    @OptionGroup var options: OutputOptions

    func run() throws {
        let control = try Control()
        let reference = try device.reference()
        if force { try control.wipeTable(of: reference, options: .forced) }
        let outcome = try udev.notifying { notice in try remove(reference, control, notice) }
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

    /// Removes the device, which a program may have open for a moment.
    private func remove(
        _ device: DeviceReference, _ control: Control, _ notice: UdevNotice
    ) throws(DeviceMapperError) -> RemovalOutcome {
        guard let retry else { return try control.removeDevice(device, deferred: deferred, udev: notice) }
        let outcome = try waiting(until: .after(retry.duration)) { () throws(DeviceMapperError) -> RemovalOutcome? in
            do throws(DeviceMapperError) {
                return try control.removeDevice(device, udev: notice)
            } catch {
                guard error.code == .busy else { throw error }
                return nil
            }
        }
        // The last attempt says why it failed, or has the kernel remove the device later.
        if let outcome { return outcome }
        return try control.removeDevice(device, deferred: deferred, udev: notice)
    }
}
