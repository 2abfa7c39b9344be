import DeviceMapper
import Glibc
import SystemPackage
import TestSupport
import Testing

/// The requests to the kernel, and the remains of an operation whose request does not arrive.
@Suite(.serialized) struct DMTransportTests {
    let transport: FaultyTransport
    let fixture: DMFixture

    init() throws {
        transport = FaultyTransport(try KernelTransport())
        fixture = try DMFixture(transport: transport)
    }

    @Test(arguments: [0, 1, 100]) func sendsAMessageOnceHoweverLongItsAnswer(capacity: Int) throws {
        let device = DeviceReference.name(try fixture.device("device", "0 1000 zero").name)
        try fixture.control.sendMessage("@stats_create - /10", to: device, answerCapacity: 16)
        transport.forget()
        #expect {
            try fixture.control.sendMessage("@stats_print 0", to: device, answerCapacity: capacity)
        } throws: {
            ($0 as? DeviceMapperError)?.code == .answerTooLarge
        }
        #expect(transport.commands == [.targetMessage])
        let answer = try fixture.control.sendMessage("@stats_print 0", to: device, answerCapacity: 1 << 16)
        #expect(answer?.split(separator: "\n").count == 10)
    }

    @Test func asksAgainForWhatChangesNothing() throws {
        let device = try fixture.device("device", (0..<500).map { "\($0 * 8) 8 zero" }.joined(separator: "\n"))
        transport.forget()
        #expect(try fixture.control.table(of: .name(device.name)).entries.count == 500)
        #expect(transport.commands == [.tableStatus, .tableStatus])
    }

    /// A kernel refuses a request of a younger version than its own.
    @Test func asksForNoYoungerVersionThanTheKernelHas() throws {
        let control = fixture.control
        let device = try fixture.device("device", "0 1000 zero", uuid: fixture.prefix + "uuid")
        let name = DeviceReference.name(device.name)
        _ = try control.version()
        _ = try control.devices()
        _ = try control.targetVersions()
        _ = try control.targetVersion(of: "zero")
        _ = try control.information(on: name)
        _ = try control.table(of: name)
        _ = try control.dependencies(of: name)
        try control.setGeometry(of: name, cylinders: 1, heads: 1, sectorsPerTrack: 1, start: 0)
        try control.sendMessage("@stats_list", to: name, answerCapacity: 100)
        try control.renameDevice(device.name, to: fixture.name("renamed"))
        // Not before the device gets its name: Debian's kernel 6.1.176, which has IMA, frees memory twice at the removal of a device
        // with a uuid whose inactive table was cleared before it was renamed.
        let renamed = DeviceReference.name(try fixture.name("renamed"))
        try control.loadTable(MappingTable(.zero, length: 1000), into: renamed)
        try control.clearTable(of: renamed)
        _ = try control.waitForEvent(of: .name(fixture.name("renamed")), after: 0)
        try control.removeDevice(.name(fixture.name("renamed")))
        // DM_REMOVE_ALL is about other people's devices too, and DM_DEV_ARM_POLL is tested with the events.
        let tested = Set(transport.commands).union([.removeAll, .armPoll])
        #expect(tested == Set(ControlCommand.allCases))
    }

    @Test(arguments: [ControlCommand.loadTable, .suspendDevice], [FaultyTransport.Moment.before, .after])
    func leavesNoDeviceBehindThatCouldNotBeMade(command: ControlCommand, moment: FaultyTransport.Moment) throws {
        transport.fail(command, with: .ioError, moment)
        #expect {
            try fixture.device("device", "0 10 zero")
        } throws: {
            ($0 as? DeviceMapperError)?.errno == .ioError
        }
        #expect(transport.commands.last == .removeDevice)
        #expect(try fixture.control.devices(withPrefix: fixture.prefix).isEmpty)
    }

    @Test func leavesNothingBehindWhenTheKernelRefuses() throws {
        for table in ["0 10 no-such-target", "0 10 linear /no/such/device 0", "5 10 zero", "0 0 zero"] {
            let result = try DMLayerCommand.runForStatus("dm create \(fixture.prefix)device --table '\(table)'")
            #expect(result.status == 1)
            #expect(
                result.output.hasPrefix("dmlayer: cannot load a mapping table into the device \(fixture.prefix)device"))
        }
        #expect(try fixture.control.devices(withPrefix: fixture.prefix).isEmpty)
    }

    private struct Failure: Error {}

    private func takesSignals() -> Bool {
        var present = sigset_t()
        unsafe pthread_sigmask(SIG_BLOCK, nil, &present)
        return unsafe sigismember(&present, SIGTERM) == 0
    }

    @Test func suspendsADeviceForAMomentOnly() throws {
        let control = fixture.control
        let device = DeviceReference.name(try fixture.device("device", "0 10 zero").name)
        func isSuspended() throws -> Bool { try control.information(on: device).isSuspended }
        // A thread of the test library can block signals itself.
        let before = takesSignals()
        let during = try control.whileSuspended(device) { [try isSuspended(), !takesSignals()] }
        #expect(during == [true, true])
        #expect(try !isSuspended() && takesSignals() == before)

        #expect(throws: Failure.self) { try control.whileSuspended(device) { throw Failure() } }
        #expect(try !isSuspended() && takesSignals() == before)
        // A suspension, or the first resumption, that does not reach the kernel, or whose answer is lost.
        for moment in FaultyTransport.Moment.allCases {
            for count in 0...1 {
                transport.fail(after: count, moment)
                var hasRun = false
                let result = Result { try control.whileSuspended(device) { hasRun = true } }
                #expect(hasRun == (count == 1))
                #expect((try? result.get()) != nil ? count == 1 : count == 0)
                #expect(try !isSuspended() && takesSignals() == before)
            }
        }
        // The kernel does not hear of either resumption: that is an error, and not taken for success.
        transport.failAlways(.suspendDevice, after: 1)
        #expect { try control.whileSuspended(device) {} } throws: { ($0 as? DeviceMapperError)?.errno == .ioError }
        transport.disarm()
        #expect(try isSuspended())
        try control.resumeDevice(device)
    }

    @Test func staysSuspendedNowhereWhenANewTableFails() throws {
        let device = try fixture.device("device", "0 10 zero")
        transport.fail(.suspendDevice, with: .ioError, .before)
        #expect(throws: DeviceMapperError.self) {
            try fixture.control.replaceTable(
                of: .name(device.name), with: MappingTable(.error, length: 10), options: .noFlush)
        }
        let state = try fixture.control.information(on: .name(device.name))
        #expect(!state.isSuspended && !state.hasInactiveTable)
        #expect(try fixture.control.table(of: .name(device.name)).entries.map(\.target) == [.zero])
    }
}
