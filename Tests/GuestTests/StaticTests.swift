import SystemPackage
import TestSupport

/// The promises about the static binary: its size, its start, and that it needs nothing but /proc.
struct StaticTests {
    let checks: Checks
    let binary: FilePath

    init(_ checks: Checks, binary: FilePath) {
        self.checks = checks
        self.binary = binary
    }

    /// Runs on the host, and starts the sandbox for the last part.
    ///
    /// - Parameter limit: The largest size in bytes.
    func run(limit: Int) throws {
        let size = try Stat(binary).size
        say("size: \(size) bytes")
        checks.check("it is not larger than \(limit) bytes", size <= limit)
        let (short, long) = (try Shell.run("'\(binary)' --help"), try Shell.run("'\(binary)' help"))
        checks.check("--help says what help says", short, long)
        let (help, nothing) = try fastest("'\(binary)' --help", "/bin/true")
        say("start: --help \(microseconds(help)) µs, /bin/true \(microseconds(nothing)) µs")
        checks.check("it starts fast", isFast(help, beside: nothing))
        let sandbox = try ChildProcess(
            "exec scripts/sandbox --timeout 60 -- '\(CommandLine.arguments[0])' static-guest '\(binary)'")
        checks.check("it needs nothing but /proc", "\(try sandbox.wait(.seconds(120)) ?? -1)", "0")
    }

    /// Runs in the sandbox, where everybody may use chroot.
    func runInEmptyRoot() throws {
        try Shell.run(
            "mkdir -p /tmp/empty/proc && cp '\(binary)' /tmp/empty/dmlayer && mount -t proc proc /tmp/empty/proc")
        checks.check(
            "it helps in an empty root", try Shell.runForStatus("chroot /tmp/empty /dmlayer --help").status == 0)
        try Shell.run("mkdir -p /tmp/empty/dev/mapper && mknod /tmp/empty/dev/mapper/control c 10 236")
        let (status, output) = try Shell.runForStatus("chroot /tmp/empty /dmlayer dm version")
        checks.check("it speaks to the kernel there", "\(status) \(output.contains("4."))", "0 true")
    }

    private func microseconds(_ duration: Duration) -> Int { Int(duration / .microseconds(1)) }

    private func isFast(_ start: Duration, beside nothing: Duration) -> Bool { start <= nothing * 3 + .milliseconds(2) }

    /// The shortest times of two commands, each with the start of a shell.
    ///
    /// Other work on the machine only makes a run longer, so that a start that is slow for 101 runs is measured again for a
    /// minute at most.
    private func fastest(_ command: String, _ other: String) throws -> (Duration, Duration) {
        func time(_ command: String) throws -> Duration {
            try ContinuousClock().measure { try Shell.run("exec \(command) > /dev/null") }
        }
        let end = ContinuousClock.now + .seconds(60)
        var (first, second, runs) = (try time(command), try time(other), 1)
        while runs < 101 || (!isFast(first, beside: second) && .now < end) {
            (first, second, runs) = (min(first, try time(command)), min(second, try time(other)), runs + 1)
        }
        return (first, second)
    }
}
