internal import ArgumentParser
internal import SystemCalls

/// The option `--watch`.
struct WatchOption: ParsableArguments {
    @Option(
        name: .customLong("watch"), defaultAsFlag: WatchInterval.usual, parsing: .next,
        help: ArgumentHelp("Print again after so many seconds, until it is interrupted.", valueName: "seconds"))
    var interval: WatchInterval?

    func validate() throws {
        if let interval, interval.duration == nil {
            throw ValidationError("--watch \(interval): write a number of seconds from 0.1 on.")
        }
    }

    /// Runs `round` once, or again and again where that is asked for.
    ///
    /// Nothing is kept from one round to the next: a store is opened in each. An interrupt ends the program as it ends any
    /// other, for the terminal is in its usual state all the time.
    func run(_ output: Output, _ round: (Output) throws -> Void) throws {
        guard let interval, let time = interval.duration else { return try round(output) }
        let isDrawn = !output.isJSON && isatty(STDOUT_FILENO) == 1
        var isFirst = true
        while true {
            if isDrawn {
                // Cleared before the round, so that its messages on the terminal stay to be seen as well.
                try Output.write("\u{1B}[H\u{1B}[2J\(Self.timeOfDay()), every \(interval) s\n\n")
            } else if !isFirst, !output.isJSON {
                try Output.write("\n")
            }
            try round(output.ofRounds)
            isFirst = false
            pause(for: time)
        }
    }
}

extension WatchOption {
    /// The time of the machine's clock, as 09:05:00.
    private static func timeOfDay() -> String {
        var now = time(nil)
        var parts = unsafe tm()
        // A time that cannot be divided is midnight, in a heading that is for people.
        unsafe localtime_r(&now, &parts)
        let numbers = unsafe [parts.tm_hour, parts.tm_min, parts.tm_sec]
        return numbers.map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ":")
    }
}

/// The time between two rounds of a command that prints again and again.
struct WatchInterval: ExpressibleByArgument, CustomStringConvertible {
    static let usual = WatchInterval(argument: "2")

    /// The seconds as they were given.
    let description: String

    // Any text is taken at first: the parser would call a text that is refused here an argument that it did not expect.
    init(argument: String) {
        description = argument
    }

    /// The time; `nil` where the text says none, or one so short that a forgotten command would keep a processor busy.
    var duration: Duration? {
        guard let time = Timeout(argument: description)?.duration, time >= .milliseconds(100) else { return nil }
        return time
    }
}
