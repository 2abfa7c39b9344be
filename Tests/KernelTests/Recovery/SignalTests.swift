import Glibc
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Commands that end by a signal at random moments, while a program writes to a layer: the writer must go on.
///
/// `SIGNALS` in the environment is the number of moments, and `SIGNALS_SEED` the seed of the random numbers. The same seed
/// sends the same signals at the same system calls:
///
///     SIGNALS=200 SIGNALS_SEED=7 scripts/sandbox --timeout 3000 -- \
///         .build/debug/swift-devicemapperPackageTests.xctest --testing-library swift-testing --filter SignalTests
@Suite(.serialized) struct SignalTests {
    /// A command that stops input and output for a moment.
    enum Operation: String, CaseIterable {
        case trim, create, resizePool

        /// Makes what the command needs so that it has to stop the pool or a layer.
        func prepare(_ fixture: StoreFixture) throws {
            guard self == .trim else { return }
            // The pool has not used this part of its file; a trim gives it back while the pool stands still.
            try Shell.run(
                "dd if=/dev/urandom of='\(fixture.root)/devicemapper/data' bs=1M count=1 seek=1000 conv=notrunc status=none"
            )
        }

        /// The arguments; `number` is a larger one each time.
        func arguments(_ number: Int) -> String {
            switch self {
            case .trim: "trim"
            case .create: "create copy-\(number) --parent written"
            case .resizePool: "pool resize \((1 << 30) + number << 20)"
            }
        }
    }

    /// The system calls before which a signal can come, counted from 1.
    struct Moments {
        /// How many system calls that speak to drivers the command makes.
        let count: Int
        /// Those of them that the command makes while a device is suspended, or has a table that is not in force yet.
        let critical: [Int]

        /// Reads what strace wrote.
        init(trace: String) {
            var (count, isHalfDone) = (0, false)
            var critical: [Int] = []
            for line in trace.split(separator: "\n") where line.contains("ioctl(") {
                count += 1
                if isHalfDone { critical.append(count) }
                if line.contains("DM_TABLE_LOAD") { isHalfDone = true }
                if line.contains("DM_DEV_SUSPEND") { isHalfDone = line.contains("DM_SUSPEND_FLAG") }
            }
            (self.count, self.critical) = (count, critical)
        }

        /// Half of the moments are critical ones; the end of the command is a moment as well.
        func random(using random: inout SeededRandom) -> Int {
            let isCritical = Bool.random(using: &random)
            return (isCritical ? critical.randomElement(using: &random) : nil)
                ?? .random(in: 1...count + 1, using: &random)
        }
    }

    /// A program that writes a block of a layer again and again, and counts what is on the disk.
    private struct Writer {
        private let process: String
        private let counter: FilePath

        init(_ file: FilePath, counter: FilePath) throws {
            self.counter = counter
            process = try Shell.run(
                """
                : > '\(counter)'
                ( while printf written | dd of='\(file)' conv=notrunc,fdatasync status=none; do echo >> '\(counter)'; done ) \
                    > /dev/null 2>&1 &
                echo $!
                """)
        }

        private func count() throws -> Int {
            try Int(Stat(counter).size)
        }

        /// Whether the writer does two writes within `limit`; the second one has begun after this was asked.
        func goesOn(within limit: Duration) throws -> Bool {
            let before = try count()
            do {
                try Patience.until(limit) { try count() >= before + 2 }
                return true
            } catch is Patience.TimedOut {
                return false
            }
        }

        func end() throws {
            try Shell.run("kill \(process); while kill -0 \(process) 2> /dev/null; do sleep 0.05; done")
        }
    }

    private static func setting(_ name: String) -> Int? {
        unsafe getenv(name).flatMap { unsafe Int(String(cString: $0)) }
    }

    /// The command within strace, which sends the signal.
    private func run(_ arguments: String, in fixture: StoreFixture, strace options: String) throws -> Int {
        try Shell.runForStatus(
            """
            timeout --kill-after=5 60 strace -f -o '\(fixture.scratch.path)/trace' -e trace=ioctl \(options) \
                '\(DMLayerCommand.path)' --root '\(fixture.root)' \(arguments) > /dev/null
            """
        ).status
    }

    /// Gives the command without a signal, and counts its system calls.
    private func rehearse(_ operation: Operation, _ number: Int, in fixture: StoreFixture) throws -> Moments {
        try operation.prepare(fixture)
        let status = try run(operation.arguments(number), in: fixture, strace: "")
        #expect(status == 0, "\(operation), without a signal")
        let moments = Moments(trace: try Shell.run("cat '\(fixture.scratch.path)/trace'"))
        #expect(!moments.critical.isEmpty, "\(operation) leaves nothing half done for a moment, so this proves nothing")
        return moments
    }

    /// Runs the command after which a waiting writer must go on; a service needs none.
    private func recover(_ fixture: StoreFixture, hasService: Bool) throws {
        if hasService { return }
        let (status, output) = try Shell.runForStatus(
            "timeout --kill-after=5 30 '\(DMLayerCommand.path)' --root '\(fixture.root)' list")
        #expect(status == 0, "list: \(output)")
    }

    /// A writer goes on within five seconds of the next command, even of one that only reads.
    ///
    /// Where a service runs, no command is needed.
    @Test(arguments: [false, true]) func writersGoOnBehindACommandThatWasKilled(hasService: Bool) throws {
        let count = Self.setting("SIGNALS") ?? 9
        let seed = Self.setting("SIGNALS_SEED") ?? 1
        let fixture = try StoreFixture(["dm.loopdatasize=1g"], rootSize: "4g")
        let layer = try LayerID("written")
        try fixture.store.create(layer)
        let path = try fixture.store.mount(layer)
        let service = hasService ? try startService(fixture) : nil
        let writer = try Writer(path.appending("file"), counter: fixture.scratch.appending("counter"))
        #expect(try writer.goesOn(within: .seconds(30)))
        var random = SeededRandom(seed: UInt64(seed))
        for number in 1...count {
            // Nine moments are each operation with each signal.
            let operation = Operation.allCases[number % 3]
            let signal = ["KILL", "TERM", "INT"][(number + number / 3) % 3]
            // The first one also ends what an earlier command has left unfinished, with calls that are not its own.
            _ = try rehearse(operation, 3 * number, in: fixture)
            let moments = try rehearse(operation, 3 * number + 1, in: fixture)
            let moment = moments.random(using: &random)
            try operation.prepare(fixture)
            let status = try run(
                operation.arguments(3 * number + 2), in: fixture,
                strace: "-e inject=ioctl:signal=\(signal):when=\(moment)")
            let found = try fixture.suspendedDevices()
            try recover(fixture, hasService: hasService)
            let goesOn = try writer.goesOn(within: .seconds(5))
            let left = try fixture.suspendedDevices()
            let words =
                "moment \(number) of \(count), seed \(seed): \(operation), SIG\(signal) at ioctl \(moment)"
                + "\(moments.critical.contains(moment) ? ", half done" : ""), status \(status)"
            print("\(words): \(found), then \(left)")
            #expect(goesOn && left == [], "\(words); before the recovery \(found)")
            // The next moment is judged for itself.
            if !goesOn || !left.isEmpty { try resumeEverything(fixture) }
        }
        try writer.end()
        if let service { try Shell.run("kill \(service); while kill -0 \(service) 2> /dev/null; do sleep 0.05; done") }
        for case .layer(let id, _) in try fixture.store.layers() where id.text.hasPrefix("copy-") {
            try fixture.store.remove(id)
        }
        #expect(try Shell.run("cat '\(path)/file'") == "written")
        try fixture.store.unmount(layer)
        try fixture.finish()
    }

    private func startService(_ fixture: StoreFixture) throws -> String {
        let log = fixture.scratch.appending("service.log")
        let process = try Shell.run(
            """
            '\(DMLayerCommand.path)' --root '\(fixture.root)' serve --socket '\(fixture.scratch.path)/socket' \
                > /dev/null 2> '\(log)' &
            echo $!
            """)
        try Patience.until { try Shell.run("grep -c 'the service is ready' '\(log)' || true") == "1" }
        return process
    }

    private func resumeEverything(_ fixture: StoreFixture) throws {
        for name in try fixture.devices() { try Shell.run("dmsetup resume '\(name)'") }
    }
}
