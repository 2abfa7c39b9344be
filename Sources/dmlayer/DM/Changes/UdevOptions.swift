internal import ArgumentParser
internal import DeviceMapper

/// How a command that changes what udev sees deals with it.
struct UdevOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Wait until udev's rules have run, at most so long. Without it the links in /dev/mapper follow later.",
            valueName: "seconds"))
    var waitForUdev: Timeout?

    /// Runs `body` with a notice for udev, and then waits for udev if that was asked for.
    func notifying<Result>(_ body: (UdevNotice) throws -> Result) throws -> Result {
        guard let waitForUdev else { return try body(.flags(.visible)) }
        let cookie = try UdevCookie()
        let result = try body(.cookie(cookie, .visible))
        try cookie.wait(timeout: waitForUdev.duration)
        return result
    }
}
