import Glibc
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

@testable import DeviceMapper

/// Events as asynchronous sequences, as a descriptor for poll, and with a wait that can be cancelled.
@Suite(.serialized) struct DMEventSequenceTests {
    let fixture: DMFixture

    init() throws {
        fixture = try DMFixture()
    }

    /// How many descriptors this process has open.
    private func descriptors() throws -> Int {
        try #require(Int(Shell.run("ls /proc/\(getpid())/fd | wc -l")))
    }

    /// How many threads this process has.
    private func threads() throws -> Int {
        try #require(Int(Shell.run("ls /proc/\(getpid())/task | wc -l")))
    }

    @Test func seesAPoolFallBelowItsLowWaterMark() async throws {
        let fixture = fixture
        let pool = try fixture.pool("pool", lowWaterMark: 1000)
        try fixture.control.sendMessage("create_thin 0", to: .name(pool.name))
        let thin = try fixture.device("thin", "0 65536 thin \(pool.number) 0")
        let events = try EventWatcher().events(of: .number(pool.number), after: pool.eventNumber)
        let waiting = Task { () -> UInt64? in
            for try await state in events {
                let line = try fixture.control.status(of: state.reference).first?.text ?? ""
                guard case .available(let pool) = try ThinPoolStatus(parsing: line, blockSize: 128) else { return nil }
                return pool.data.used
            }
            return nil
        }
        try Shell.run("sleep 0.3; dd if=/dev/zero of=/dev/dm-\(thin.number.minor) bs=1M count=4 oflag=direct")
        let used = try #require(try await waiting.value)
        // The pool has 1024 blocks, and the event comes when fewer than 1000 are free.
        #expect(used >= 24)
    }

    @Test func seesDevicesAppearAndGo() async throws {
        let fixture = fixture
        let old = try fixture.device("old", "0 10 zero")
        let changes = try EventWatcher().deviceChanges(withPrefix: fixture.prefix)
        #expect(changes.known.map(\.name) == [old.name])
        let waiting = Task { () -> [DeviceChange] in
            var seen: [DeviceChange] = []
            for try await change in changes {
                seen.append(change)
                if change.kind == .removed { break }
            }
            return seen
        }
        let steps: [() throws -> Void] = [
            { try fixture.device("new", "0 10 zero") },
            { try fixture.control.renameDevice(fixture.name("new"), to: fixture.name("newer")) },
            { try fixture.control.setUUID(of: fixture.name("newer"), to: DeviceUUID("\(fixture.prefix)uuid")) },
            { try fixture.control.removeDevice(.name(fixture.name("newer"))) },
        ]
        for step in steps {
            try await Task.sleep(for: .milliseconds(400))
            try step()
        }
        let seen = try await waiting.value
        let name = try fixture.name("new")
        #expect(seen.map(\.kind) == [.created, .renamed(from: name), .changed, .removed])
        #expect(try seen.last?.device.name == fixture.name("newer"))
    }

    /// Every loop has a control node of its own, so no loop takes an event from another one.
    @Test func servesSeveralLoops() async throws {
        let fixture = fixture
        let count: UInt32 = 50
        let device = try fixture.device("0", "0 10 zero")
        let watcher = try EventWatcher()
        let loops = (0..<4).map { _ in
            Task { () -> UInt32 in
                for try await state in watcher.events(of: .number(device.number), after: 0)
                where state.eventNumber == count { return state.eventNumber }
                return 0
            }
        }
        for number in 0..<count {
            try fixture.control.renameDevice(fixture.name("\(number)"), to: fixture.name("\(number + 1)"))
            if number % 10 == 0 { try await Task.sleep(for: .milliseconds(50)) }
        }
        for loop in loops { #expect(try await loop.value == count) }
        #expect(watcher.idleCount >= 1 && watcher.idleCount <= 4)
    }

    @Test func endsWithTheDevice() async throws {
        let fixture = fixture
        let device = try fixture.device("device", "0 10 zero")
        let waiting = Task { () -> Int in
            var count = 0
            for try await _ in try EventWatcher().events(of: .number(device.number), after: 0) { count += 1 }
            return count
        }
        try await Task.sleep(for: .milliseconds(300))
        try fixture.control.removeDevice(.number(device.number))
        #expect(try await waiting.value == 0)
    }

    @Test func endsAtOnceWhenItsTaskIsCancelled() async throws {
        let fixture = fixture
        let device = try fixture.device("device", "0 10 zero")
        let watcher = try EventWatcher()
        let before = try (descriptors(), threads())
        let loops = [
            Task { for try await _ in watcher.events(of: .number(device.number), after: 0) {} },
            Task { for try await _ in try watcher.deviceChanges(withPrefix: fixture.prefix) {} },
        ]
        try await Task.sleep(for: .milliseconds(500))
        #expect(try threads() >= before.1 + 2)
        let start = ContinuousClock.now
        for loop in loops { loop.cancel() }
        for loop in loops { try await loop.value }
        #expect(start.duration(to: .now) < .milliseconds(500))
        // A task that is cancelled already does not begin to wait.
        let late = Task { () -> Int in
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            var count = 0
            for try await _ in watcher.events(of: .number(device.number), after: 7) { count += 1 }
            return count
        }
        #expect(try await late.value == 0)
        // Two waits at a time need two nodes; the watcher keeps the second one. Nothing else is left.
        #expect(watcher.idleCount == 2)
        try Patience.until { try descriptors() <= before.0 + 1 }
    }

    @Test func cancelsABlockingWait() throws {
        let fixture = fixture
        let device = try fixture.device("device", "0 10 zero")
        let (watcher, cancellation) = (try EventWatcher(), try WaitCancellation())
        let results = onThreads(3) { index -> Duration? in
            let start = ContinuousClock.now
            switch index {
            case 0:
                #expect(
                    try watcher.event(
                        of: .number(device.number), after: 0, timeout: .seconds(20), cancellation: cancellation) == nil)
            case 1:
                let known = try fixture.control.devices(withPrefix: fixture.prefix)
                #expect(
                    try watcher.changes(
                        from: known, withPrefix: fixture.prefix, timeout: nil, cancellation: cancellation) == nil)
            default:
                usleep(500_000)
                cancellation.cancel()
                return nil
            }
            return start.duration(to: .now)
        }
        for duration in try results.compactMap({ try $0.get() }) {
            #expect(duration >= .milliseconds(400) && duration < .seconds(2))
        }
        // It stays cancelled, and a wait without it is not.
        let start = ContinuousClock.now
        #expect(
            try watcher.event(
                of: .number(device.number), after: 0, timeout: .seconds(20), cancellation: cancellation) == nil)
        #expect(start.duration(to: .now) < .seconds(2))
        #expect(try watcher.event(of: .number(device.number), after: 7, timeout: nil)?.eventNumber == 0)
    }

    @Test func givesADescriptorForPoll() throws {
        let device = try fixture.device("0", "0 10 zero")
        let events = [try EventDescriptor(), try EventDescriptor()]
        func readable() -> [Bool] {
            var requests = events.map { pollfd(fd: $0.descriptor.rawValue, events: Int16(POLLIN), revents: 0) }
            unsafe poll(&requests, nfds_t(requests.count), 0)
            return requests.map { $0.revents & Int16(POLLIN) != 0 }
        }
        for event in events { try event.arm() }
        #expect(readable() == [false, false])
        try fixture.control.renameDevice(device.name, to: fixture.name("1"))
        #expect(readable() == [true, true])
        #expect(try events[0].control.information(on: .number(device.number)).eventNumber == 1)
        try events[0].arm()
        #expect(readable() == [false, true])
    }
}
