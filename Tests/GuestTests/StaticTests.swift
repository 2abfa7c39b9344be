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
        let (help, nothing) = (try fastest("'\(binary)' --help"), try fastest("/bin/true"))
        say("start: --help \(microseconds(help)) µs, /bin/true \(microseconds(nothing)) µs")
        checks.check("it starts fast", help <= nothing * 3 + .milliseconds(2))
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

    /// The shortest time of 101 runs, each with the start of a shell: other work on the machine only makes a run longer.
    private func fastest(_ command: String) throws -> Duration {
        let times = try (0..<101).map { _ in
            try ContinuousClock().measure { try Shell.run("exec \(command) > /dev/null") }
        }
        return times.min() ?? .zero
    }
}
