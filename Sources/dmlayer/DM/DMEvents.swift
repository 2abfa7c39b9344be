internal import ArgumentParser
internal import DeviceMapper

extension DM {
    /// The command `dm events`.
    struct Events: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "events",
            abstract: "Print a line for every device that appears, goes, gets another name or has an event.",
            discussion: """
                Goes on until it is interrupted. With --json each line is an object of its own. What happens more than \
                once between two looks at the devices is printed once.
                """)

        @Option(help: "Only devices whose names begin with this.")
        var prefix = ""

        @Option(help: ArgumentHelp("Stop after so many seconds.", valueName: "seconds"))
        var timeout: Timeout?

        @OptionGroup var options: OutputOptions

        func run() throws {
            let deadline = timeout.map { ContinuousClock.now.advanced(by: $0.duration) }
            let watcher = try EventWatcher()
            var known = try Control().devices(withPrefix: prefix)
            while let present = try watcher.changes(
                from: known, withPrefix: prefix, timeout: deadline.map { ContinuousClock.now.duration(to: $0) })
            {
                for change in DeviceChange.changes(from: known, to: present) {
                    try options.output.printLine(json: change, text: change.text)
                }
                known = present
            }
        }
    }
}
