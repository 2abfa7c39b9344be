import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import DeviceMapper

/// Waiting for what happens to devices.
@Suite(.serialized) struct DMEventTests {
    let fixture: DMFixture

    init() throws {
        fixture = try DMFixture()
    }

    /// Runs `change` when `wait` sleeps for certain, and gives what `wait` returned.
    private func whileWaiting<Value: Sendable>(
        _ change: @escaping @Sendable () throws -> Void, _ wait: @escaping @Sendable () throws -> Value
    ) throws -> Value {
        let results = onThreads(2) { index -> Value? in
            if index == 0 { return try wait() }
            usleep(300_000)
            try change()
            return nil
        }
        _ = try results[1].get()
        return try #require(try results[0].get())
    }

    @Test func wakesForACreatedARenamedAndARemovedDevice() throws {
        let fixture = fixture
        let watcher = try EventWatcher()
        var known = try fixture.control.devices(withPrefix: fixture.prefix)
        #expect(known.isEmpty)
        func next(_ change: @escaping @Sendable () throws -> Void) throws -> [String] {
            let before = known
            let present = try whileWaiting(change) {
                try watcher.changes(from: before, withPrefix: fixture.prefix, timeout: .seconds(10))
            }
            known = try #require(present)
            return known.map { String($0.name.description.dropFirst(fixture.prefix.count)) }
        }
        #expect(try next { try fixture.control.createDevice(fixture.name("one")) } == ["one"])
        #expect(try next { try fixture.control.renameDevice(fixture.name("one"), to: fixture.name("two")) } == ["two"])
        #expect(try next { try fixture.control.removeDevice(.name(fixture.name("two"))) } == [])
    }

    @Test func losesNoEventThatHappensBeforeItWaits() throws {
        let device = try fixture.device("device", "0 10 zero")
        let watcher = try EventWatcher()
        let known = try fixture.control.devices(withPrefix: fixture.prefix)
        try fixture.control.renameDevice(device.name, to: fixture.name("renamed"))
        let start = ContinuousClock.now
        let present = try watcher.changes(from: known, withPrefix: fixture.prefix, timeout: .seconds(10))
        #expect(present?.map(\.name.description) == [fixture.prefix + "renamed"])
        #expect(present?.map(\.eventNumber) == [1])
        #expect(start.duration(to: .now) < .seconds(5))
    }

    /// The moment between looking and waiting is the one at which an event could be lost.
    @Test func losesNoEventThatHappensBetweenLookingAndWaiting() throws {
        let fixture = fixture
        let device = try fixture.device("device", "0 10 zero")
        let transport = FaultyTransport(try KernelTransport())
        let watcher = try EventWatcher { transport.passing(to: $0) }

        transport.interrupt(after: .deviceStatus) {
            try? fixture.control.renameDevice(device.name, to: fixture.name("renamed"))
        }
        let event = try watcher.event(of: .number(device.number), after: 0, timeout: .seconds(3))
        #expect(event?.eventNumber == 1)

        let known = try fixture.control.devices(withPrefix: fixture.prefix)
        transport.interrupt(after: .listDevices) {
            _ = try? fixture.control.createDevice(fixture.name("second"))
        }
        let present = try watcher.changes(from: known, withPrefix: fixture.prefix, timeout: .seconds(3))
        #expect(present?.count == 2)
    }

    /// Another thread that waits with the same watcher takes no event away, even if it begins between looking and waiting.
    @Test func losesNoEventToAnotherThread() throws {
        let fixture = fixture
        let device = try fixture.device("device", "0 10 zero")
        let transport = FaultyTransport(try KernelTransport())
        let watcher = try EventWatcher { transport.passing(to: $0) }
        transport.interrupt(after: .deviceStatus) {
            try? fixture.control.renameDevice(device.name, to: fixture.name("renamed"))
            // It arms a node and looks, and there is something to see at once.
            _ = try? watcher.changes(from: [], withPrefix: fixture.prefix, timeout: .seconds(3))
        }
        let event = try watcher.event(of: .number(device.number), after: 0, timeout: .seconds(3))
        #expect(event?.eventNumber == 1)
    }

    /// Four threads with one watcher see every event of a device.
    @Test func servesSeveralThreads() throws {
        let fixture = fixture
        let count: UInt32 = 200
        let device = try fixture.device("0", "0 10 zero")
        let watcher = try EventWatcher()
        let results = onThreads(5) { index -> UInt32 in
            if index == 0 {
                for number in 0..<count {
                    try fixture.control.renameDevice(fixture.name("\(number)"), to: fixture.name("\(number + 1)"))
                    if number % 10 == 0 { usleep(UInt32.random(in: 0..<3000)) }
                }
                return count
            }
            var seen: UInt32 = 0
            while seen < count,
                let now = try watcher.event(of: .number(device.number), after: seen, timeout: .seconds(20))
            {
                seen = now.eventNumber
            }
            return seen
        }
        #expect(try results.map { try $0.get() } == [UInt32](repeating: count, count: 5))
    }

    /// Many events, each at an arbitrary moment of the watcher's round of arming, listing and waiting.
    @Test func losesNoEventOfMany() throws {
        let fixture = fixture
        let count: UInt32 = 200
        let device = try fixture.device("0", "0 10 zero")
        let results = onThreads(2) { index -> UInt32 in
            var seen: UInt32 = 0
            if index == 0 {
                let watcher = try EventWatcher()
                while seen < count,
                    let now = try watcher.event(of: .number(device.number), after: seen, timeout: .seconds(20))
                {
                    seen = now.eventNumber
                }
                return seen
            }
            for number in 0..<count {
                try fixture.control.renameDevice(fixture.name("\(number)"), to: fixture.name("\(number + 1)"))
                if number % 10 == 0 { usleep(UInt32.random(in: 0..<3000)) }
            }
            return count
        }
        #expect(try results.map { try $0.get() } == [count, count])
    }

    @Test func returnsWithoutAnEventInTime() throws {
        let device = try fixture.device("device", "0 10 zero")
        let watcher = try EventWatcher()
        let known = try fixture.control.devices(withPrefix: fixture.prefix)
        let start = ContinuousClock.now
        #expect(try watcher.changes(from: known, withPrefix: fixture.prefix, timeout: .milliseconds(200)) == nil)
        #expect(try watcher.event(of: .name(device.name), after: 0, timeout: .milliseconds(200)) == nil)
        let duration = start.duration(to: .now)
        #expect(duration >= .milliseconds(400) && duration < .seconds(10))
        // A suspend, a resume and a new table are no events.
        try fixture.control.replaceTable(of: .name(device.name), with: MappingTable(.error, length: 10), options: [])
        #expect(try fixture.control.information(on: .name(device.name)).eventNumber == 0)
    }

    @Test func saysWhenTheDeviceIsGone() throws {
        let fixture = fixture
        let device = try fixture.device("device", "0 10 zero")
        #expect {
            try whileWaiting {
                try fixture.control.removeDevice(.name(device.name))
            } _: {
                try EventWatcher().event(of: .name(device.name), after: 0, timeout: .seconds(10))
            }
        } throws: {
            ($0 as? DeviceMapperError)?.code == .noSuchDevice
        }
    }

    @Test func wakesWhenAPoolFallsBelowItsLowWaterMark() throws {
        let fixture = fixture
        let pool = try fixture.pool("pool", lowWaterMark: 1000)
        try fixture.control.sendMessage("create_thin 0", to: .name(pool.name))
        let thin = try fixture.device("thin", "0 65536 thin \(pool.number) 0")
        let event = try whileWaiting {
            try Shell.run("dd if=/dev/zero of=/dev/dm-\(thin.number.minor) bs=1M count=4 oflag=direct")
        } _: {
            try EventWatcher().event(of: .name(pool.name), after: pool.eventNumber, timeout: .seconds(20))
        }
        #expect(try #require(event).eventNumber > pool.eventNumber)
    }

    @Test func waitsInTheKernel() throws {
        let fixture = fixture
        let device = try fixture.device("device", "0 10 zero")
        let event = try whileWaiting {
            try fixture.control.renameDevice(device.name, to: fixture.name("renamed"))
        } _: {
            try fixture.control.waitForEvent(of: .number(device.number), after: 0)
        }
        #expect(event.eventNumber == 1)
        // A number that is not the last one does not wait.
        #expect(try fixture.control.waitForEvent(of: .number(device.number), after: 7).eventNumber == 1)
    }

    @Test func isWaitedForOnTheCommandLine() throws {
        let fixture = fixture
        let name = try fixture.device("device", "0 10 zero").name
        let late = try DMLayerCommand.runForStatus("dm wait \(name) --timeout 0.2")
        #expect(late.status == 1)
        #expect(late.output == "dmlayer: \(name) had no event in time")
        let number = try fixture.control.information(on: .name(name)).number
        let printed = try whileWaiting {
            try fixture.control.renameDevice(name, to: fixture.name("renamed"))
        } _: {
            try DMLayerCommand.run("dm wait --number \(number) 0 --timeout 20")
        }
        #expect(printed == "1")
        #expect(try DMLayerCommand.run("dm wait \(fixture.prefix)renamed 0") == "1")
    }

    @Test func isPrintedOnTheCommandLine() throws {
        let device = try fixture.device("device", "0 10 zero")
        let output = fixture.scratch.appending("events")
        let process = try Shell.run(
            "'\(DMLayerCommand.path)' dm events --prefix \(fixture.prefix) --timeout 100 > \(output) 2>&1 & echo $!")
        defer { _ = try? Shell.run("kill \(process)") }

        func expectLine(_ line: String, repeating change: () throws -> Void = {}) throws {
            for _ in 0..<200 {
                try change()
                if try Shell.run("cat \(output)").split(separator: "\n").contains(Substring(line)) { return }
                usleep(100_000)
            }
            Issue.record("there is no “\(line)” in “\(try Shell.run("cat \(output)"))”")
        }
        // Changes before the command looks for the first time are not reported.
        let first = try fixture.control.createDevice(fixture.name("first")).number
        try fixture.control.removeDevice(.name(fixture.name("first")))
        try expectLine("created \(fixture.prefix)first (\(first))") {
            try fixture.control.createDevice(fixture.name("first"))
            usleep(200_000)
            try fixture.control.removeDevice(.name(fixture.name("first")))
        }
        let name = fixture.prefix + "renamed"
        try fixture.control.renameDevice(device.name, to: DeviceName(name))
        try expectLine("renamed \(device.name) to \(name) (\(device.number))")
        try fixture.control.setUUID(of: DeviceName(name), to: DeviceUUID(fixture.prefix + "uuid"))
        try expectLine("changed \(name) (\(device.number)) event 2")
        try fixture.control.removeDevice(.name(DeviceName(name)))
        try expectLine("removed \(name) (\(device.number))")
    }
}
