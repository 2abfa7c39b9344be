import DeviceMapper
import SystemPackage
import TestSupport
import Testing

/// Waiting for udev's rules, with and without somebody who runs them.
@Suite(.serialized) struct DMUdevTests {
    let fixture: DMFixture

    init() throws {
        fixture = try DMFixture()
    }

    /// How many semaphores of udev cookies the system has.
    private func semaphores() throws -> String {
        try Shell.run("ipcs -s | grep -c '^0x0d4d' || true")
    }

    @Test func givesUpInTimeAndLeavesNoSemaphore() throws {
        let before = try semaphores()
        let start = ContinuousClock.now
        do {
            let cookie = try UdevCookie()
            try fixture.control.activateDevice(
                fixture.name("device"), uuid: nil, table: MappingTable(.zero, length: 10),
                udev: .cookie(cookie, .visible))
            #expect {
                try cookie.wait(timeout: .milliseconds(500))
            } throws: {
                ($0 as? DeviceMapperError)?.code == .timedOut
            }
        }
        let duration = start.duration(to: .now)
        #expect(duration >= .milliseconds(500) && duration < .seconds(10))
        #expect(try semaphores() == before)
        #expect(try fixture.control.information(on: .name(fixture.name("device"))).hasActiveTable)
    }

    @Test func endsWhenTheRulesHaveRun() throws {
        let before = try semaphores()
        do {
            let cookie = try UdevCookie()
            let fixture = fixture
            try fixture.control.activateDevice(
                fixture.name("one"), uuid: nil, table: MappingTable(.zero, length: 10), udev: .cookie(cookie, .hidden))
            try fixture.control.activateDevice(
                fixture.name("two"), uuid: nil, table: MappingTable(.zero, length: 10), udev: .cookie(cookie, .hidden))
            #expect(try semaphores() != before)
            let results = onThreads(2) { index in
                if index == 0 { return try cookie.wait(timeout: .seconds(20)) }
                // The rule's command, once for each device; dmsetup wants to see that there is a udevd.
                try Shell.run(
                    """
                    mkdir -p /run/udev && touch /run/udev/control && unset DM_DISABLE_UDEV
                    for device in one two; do sleep 0.2; dmsetup udevcomplete \(cookie.value); done
                    rm /run/udev/control
                    """)
            }
            for result in results { try result.get() }
        }
        #expect(try semaphores() == before)
    }

    @Test func waitsForNothingThatDidNotHappen() throws {
        let cookie = try UdevCookie()
        #expect(throws: DeviceMapperError.self) {
            try fixture.control.removeDevice(.name(try fixture.name("missing")), udev: .cookie(cookie, .visible))
        }
        try cookie.wait(timeout: .seconds(5))
    }

    @Test func waitsForNoDeferredRemoval() throws {
        let cookie = try UdevCookie()
        let device = try fixture.device("device", "0 10 zero")
        let node = try FileDescriptor.open(FilePath("/dev/dm-\(device.number.minor)"), .readOnly)
        defer { try? node.close() }
        try fixture.control.removeDevice(.name(device.name), deferred: true, udev: .cookie(cookie, .visible))
        try cookie.wait(timeout: .seconds(5))
    }

    @Test func isWaitedForOnTheCommandLine() throws {
        let before = try semaphores()
        let (status, output) = try DMLayerCommand.runForStatus(
            "dm create \(fixture.prefix)device --table '0 10 zero' --wait-for-udev 0.3")
        #expect(status == 1)
        #expect(output.hasPrefix("dmlayer: cannot wait for udev: its rules have not run within 0.3 seconds"))
        #expect(try fixture.control.information(on: .name(fixture.name("device"))).hasActiveTable)
        #expect(try semaphores() == before)
    }
}
