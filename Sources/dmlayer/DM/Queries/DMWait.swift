internal import ArgumentParser
internal import DeviceMapper

/// The command `dm wait`.
struct DMWait: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Wait for an event of a device, and print its number.",
        usage: "dmlayer dm wait [--timeout <seconds>] [--json] "
            + "(<device> | --uuid <uuid> | --number <major:minor>) [<event>]",
        discussion: """
            Returns as soon as the number of the device's last event differs from the given one; giving what \
            the last wait printed loses no event. Without a number the next event is waited for.
            """)

    @Argument(help: "The device's name (unless an option names it), and the number of an event.")
    var words: [String] = []

    @OptionGroup var selection: DeviceSelection

    @Option(help: ArgumentHelp("Fail when there is no event within so many seconds.", valueName: "seconds"))
    var timeout: Timeout?

    @OptionGroup var options: OutputOptions

    func validate() throws {
        _ = try operands()
    }

    private func operands() throws -> (device: DeviceReference, event: UInt32?) {
        var words = words[...]
        guard let device = try selection.reference(takingNameFrom: &words), words.count <= 1 else {
            throw ValidationError("Give a device, and the number of an event if you know one.")
        }
        guard let word = words.first else { return (device, nil) }
        guard let event = UInt32(word) else { throw ValidationError("“\(word)” is not the number of an event.") }
        return (device, event)
    }

    func run() throws {
        let (device, event) = try operands()
        let control = try Control()
        let watcher = try EventWatcher()
        let present = try control.information(on: device)
        let changed = try watcher.event(
            of: device, after: event ?? present.eventNumber, timeout: timeout?.duration)
        guard let changed else { throw Failure("\(present.name) had no event in time") }
        try options.output.print(json: InfoRecord(changed), text: "\(changed.eventNumber)")
    }
}
