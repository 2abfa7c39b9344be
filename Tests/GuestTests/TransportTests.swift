import Glibc
import SystemPackage
import TestSupport

/// How `dmlayer serve` treats its clients: a real one, Python's grpcio, and one that sends raw frames.
///
/// The checks of the clients are in `Tests/transport-client.py`. Calls sleep there behind stopped metadata of the pool;
/// clients leave, break the protocol, or do not read.
struct TransportTests {
    private static let socket = "/run/snapshotter.sock"
    private static let log: FilePath = "/run/service.log"
    private static let result: FilePath = "/run/result"

    let checks: Checks
    let layer: Command
    /// The folder of Python and grpcio.
    let client: FilePath

    init(_ checks: Checks, program: FilePath, client: FilePath) {
        self.checks = checks
        self.client = client
        layer = Command(program: program, root: "/run/store", shell: GuestShell())
    }

    func run() throws {
        // A pool whose metadata can be stopped: its commits then sleep in the kernel.
        try Shell.run(
            """
            set -e
            truncate -s 1G /run/data
            truncate -s 16M /run/metadata
            dmsetup create metadata --table "0 32768 linear $(losetup --find --show /run/metadata) 0"
            data=$(losetup --find --show /run/data)
            dmsetup create pool --table "0 2097152 thin-pool /dev/mapper/metadata $data 128 0 1 skip_block_zeroing"
            """)
        let options = ["dm.thinpooldev=/dev/mapper/pool", "dm.basesize=64m", "dm.fs=ext4"]
        _ = try layer.output(options.map { "--storage-opt \($0)" }.joined(separator: " ") + " init")
        checks.check(
            "a ping tells that there is no service",
            try layer.words("ping --socket \(Self.socket)", "nothing listens at \(Self.socket)", "status 1")
                .joined(separator: ", "), "nothing listens at \(Self.socket), status 1")
        let service = try layer.start(
            "serve --socket \(Self.socket) --metrics-socket \(Self.socket).metrics", log: Self.log)
        try checks.wait(for: "the start of the service") {
            try TextFile.read(Self.log).contains("the service is ready")
        }
        checks.check(
            "a ping is answered",
            try layer.output("ping --socket \(Self.socket)").hasPrefix("the service at \(Self.socket) answered after "))
        service.send(SIGSTOP)
        checks.check(
            "a ping of a service that stands still fails in time",
            try layer.words("ping --socket \(Self.socket) --timeout 0.5", "gave no answer", "status 1")
                .joined(separator: ", "), "gave no answer, status 1")
        service.send(SIGCONT)
        try runClient(service)
        try isStartedAgainBehindItsSocket()
        // No word of a programming language, or of a library, may stand in what the service said.
        let words = ["level=\"error\"", "NIO", "RPCError", "descriptor:", "Swift"]
        let lines = try TextFile.read(Self.log).lines.filter { line in words.contains { line.contains($0) } }
        if !lines.isEmpty { checks.fail("the service said:\n\(lines.joined(separator: "\n"))") }
        if checks.failed > 0 { say(try Shell.run("tail -n 20 '\(Self.log)'")) }
    }

    /// Runs a program of Python's with grpcio; its output goes to ``result``.
    private func python(_ arguments: String) throws -> ChildProcess {
        try ChildProcess(
            """
            export LD_LIBRARY_PATH='\(client)/usr/lib/x86_64-linux-gnu:\(client)/lib/x86_64-linux-gnu'
            export PYTHONHOME='\(client)/usr' PYTHONPATH='\(client)/usr/lib/python3/dist-packages'
            exec '\(client)/usr/bin/python3.11' \(arguments)
            """, output: Self.result)
    }

    /// A service whose socket a service manager keeps is started again under load; `RESTARTS` in the environment says how often.
    private func isStartedAgainBehindItsSocket() throws {
        let restarts = unsafe getenv("RESTARTS").flatMap { unsafe Int(String(cString: $0)) } ?? 10
        let service = "'\(layer.program)' --root '\(layer.root)' serve --socket /run/elsewhere"
        let process = try python("Tests/lib/activation-client.py /run/activated.sock \(restarts) \(service)")
        let status = try process.wait(.seconds(60 + 10 * restarts)) ?? -1
        let words = try TextFile.read(Self.result).lines.last.map(String.init) ?? ""
        say(words)
        checks.check(
            "no client of a service that is started again is refused",
            status == 0 && words.hasPrefix("\(restarts) restarts, ") && words.hasSuffix(" sent again, 0 failures"))
        if status != 0 { say(try Shell.run("tail -n 20 '\(Self.result)'")) }
    }

    private func runClient(_ service: ChildProcess) throws {
        let python = try python("Tests/transport-client.py \(Self.socket) metadata \(service.id)")
        let status = try python.wait(.seconds(280)) ?? -1
        var isCounted = false
        for line in try TextFile.read(Self.result).lines {
            let numbers = line.split(separator: " ").compactMap { Int($0) }
            if numbers.count == 2, line == "\(numbers[0]) passed, \(numbers[1]) failed" {
                checks.add(passed: numbers[0], failed: numbers[1])
                isCounted = true
            } else {
                say(String(line))
            }
        }
        if !isCounted { checks.fail("the client ended with status \(status) and has counted nothing") }
        // After a client that gave up, nothing else ends the service.
        if status != 0 { service.send(SIGKILL) }
        checks.check("the service ends well", "\(try service.wait(.seconds(60)) ?? -1)", "0")
    }
}
