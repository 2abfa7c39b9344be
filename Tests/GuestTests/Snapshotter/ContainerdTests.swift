import SystemPackage
import TestSupport

/// Real containerd works on `dmlayer serve`: its own test suite for snapshotters if that is wanted, then an image with
/// containers of runc, through restarts and kills.
final class ContainerdTests {
    /// The files of the host that the tests need.
    struct Places {
        let containerd: FilePath
        /// 1.6, 1.7 or 2.
        let version: String
        /// The folder of `prometheus` and `promtool`.
        let prometheus: FilePath
        /// containerd's test suite; `nil` leaves it out.
        let suite: FilePath?
    }

    let checks: Checks
    let program: FilePath
    let places: Places
    let machine: ContainerdMachine
    var shell: GuestShell { machine.shell }
    var layer: Command { machine.layer }

    init(_ checks: Checks, program: FilePath, _ places: Places) throws {
        self.checks = checks
        self.program = program
        self.places = places
        machine = try ContainerdMachine(
            checks, program: program, containerd: places.containerd, version: places.version)
    }

    func run() throws {
        try machine.prepare()
        try runSuite()
        try TestImage.make(["sh", "cat", "echo", "sleep", "touch", "sync"])
        let said = try layer("serve --metrics-address 0.0.0.0:9756")
        checks.check(
            "other machines get figures only when that is said",
            "\(said.lines.count { $0.contains("metrics-allow-remote") }) \(try shell.output("ls -A '\(layer.root)'"))",
            "1 ")
        try machine.startService()
        try machine.startContainerd()
        try findsThePlugin()
        let (lower, upper) = try startsContainers()
        try snapshotsAnswer(lower: lower)
        try survivesRestarts()
        try showsFigures()
        try answersTheDashboard()
        try startsInAUserNamespace()
        try mountsSnapshots(parent: upper)
        try survivesAKill()
        try collectsEverything()
        try activatesAfterShutdown()
        try leavesNothing()
    }

    /// Runs containerd's own test suite.
    private func runSuite() throws {
        guard let suite = places.suite else { return }
        for filesystem in ["ext4", "xfs"] {
            let log = FilePath("/run/suite-\(filesystem)")
            let process = try ChildProcess(
                """
                \(shell.prelude)
                export DMLAYER='\(program)' FILESYSTEM=\(filesystem) TMPDIR=/run/work
                exec '\(suite)' -test.v -test.timeout 0
                """, output: log)
            let status = try process.wait(.seconds(3600)) ?? -1
            let lines = try TextFile.read(log).lines
            let passed = lines.count { $0.contains("--- PASS: TestSnapshotter/") }
            checks.check("containerd's test suite on \(filesystem): \(passed) tests", "\(status)", "0")
            let words = ["--- SKIP", "--- FAIL", "soak_test.go", "compare_test.go"]
            for line in lines where words.contains(where: { line.contains($0) }) { say(String(line)) }
            if status != 0 { for line in lines.suffix(60) { say(String(line)) } }
        }
    }

    // MARK: Asking containerd

    func has(_ versions: String...) -> Bool { versions.contains(places.version) }

    @discardableResult
    func snapshots(_ arguments: String) throws -> String {
        try shell.everything("ctr snapshots --snapshotter dmlayer \(arguments)")
    }

    /// The columns of all snapshots that containerd knows.
    func rows() throws -> [[Substring]] {
        try snapshots("ls").lines.dropFirst().map { $0.split(whereSeparator: \.isWhitespace) }
    }

    /// The keys of all snapshots, or of those with so many columns: two have no parent.
    func names(columns: Int? = nil) throws -> [String] {
        try rows().filter { columns == nil || $0.count == columns }.compactMap { $0.first.map(String.init) }.sorted()
    }

    /// Mounts what containerd says, which prints an option even where there is none.
    func mounted(_ arguments: String) throws {
        var line = try snapshots(arguments).joinedWords
        if line.hasSuffix(" -o") { line.removeLast(3) }
        try shell.run(line)
    }

    func run(_ container: String) throws -> String {
        try shell.everything(
            "ctr run --snapshotter dmlayer --detach example.org/test:1 \(container) sleep 100000")
    }

    @discardableResult
    func exec(_ container: String, _ command: String) throws -> String {
        try shell.output(
            "ctr tasks exec --exec-id \(UInt64.random(in: 0 ... .max)) \(container) \(command) 2>&1")
    }

    /// Lets containerd look for what nothing needs, and waits until it has.
    func collect() throws {
        try shell.run("ctr leases create --id nothing && ctr leases rm --sync nothing")
    }

    /// Ends a container.
    func end(_ container: String) throws {
        _ = try shell.everything("ctr tasks kill --signal KILL \(container)")
        try checks.wait(for: "the end of \(container)") {
            try shell.succeeds("ctr tasks rm --force \(container)")
        }
        try shell.run("ctr containers rm \(container)")
    }
}
