internal import ArgumentParser
internal import DeviceMapper

/// The command `dm remove-all`.
struct DMRemoveAll: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove-all",
        abstract: "Remove every device that is not in use, whatever program made it.",
        discussion: "Devices that stay are named on standard error.")

    @Flag(help: "Give every device a table on which requests fail first, which frees the devices below.")
    var force = false

    @Flag(help: "Let devices that are in use go away when they are closed for the last time.")
    var deferred = false

    @OptionGroup var options: OutputOptions

    func run() throws {
        let control = try Control()
        let before = try control.devices()
        if force {
            for device in before {
                // A device that cannot be wiped is removed all the same, unless it is in use.
                try? control.wipeTable(of: .number(device.number), options: .forced)
            }
        }
        try control.removeAllDevices(deferred: deferred)
        let remaining = Set(try control.devices().map(\.number))
        for device in before where remaining.contains(device.number) {
            Output.note(
                deferred
                    ? "\(device.name) is in use; it goes away when it is closed for the last time"
                    : "\(device.name) is in use and stays")
        }
        func names(where isIncluded: (DeviceNumber) -> Bool) -> JSONValue {
            .texts(before.filter { isIncluded($0.number) }.map(\.name.description))
        }
        try options.output.print(
            json: JSONValue.object([
                "removed": names { !remaining.contains($0) }, "remaining": names { remaining.contains($0) },
            ]), text: nil)
    }
}

extension SuspendOptions {
    /// For a device whose requests may never end, and whose file system cannot be frozen then.
    static let forced: SuspendOptions = [.noFlush, .skipLockFS]
}
