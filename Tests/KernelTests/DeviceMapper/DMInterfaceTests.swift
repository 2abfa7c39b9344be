import DeviceMapper
import SystemPackage
import TestSupport
import Testing

/// Parts of the kernel's interface that few programs use.
@Suite(.serialized) struct DMInterfaceTests {
    let fixture: DMFixture

    init() throws {
        fixture = try DMFixture()
    }

    @Test func keepsADeviceThatWasToGo() throws {
        let device = try fixture.device("device", "0 10 zero")
        let descriptor = try FileDescriptor.open(device.node, .readOnly, options: .closeOnExec)
        #expect(try fixture.control.removeDevice(.name(device.name), deferred: true) == .deferred)
        #expect(try fixture.control.information(on: .name(device.name)).isRemovalDeferred)
        try fixture.control.cancelDeferredRemoval(of: .name(device.name))
        #expect(try !fixture.control.information(on: .name(device.name)).isRemovalDeferred)
        try descriptor.close()
        #expect(try fixture.control.informationIfPresent(on: .name(device.name)) != nil)
    }

    /// A pool suspends its thin devices.
    @Test func saysWhichDevicesTheKernelHasSuspended() throws {
        let pool = try fixture.pool("pool")
        try fixture.control.sendMessage("create_thin 0", to: .name(pool.name))
        let thin = try fixture.device("thin", "0 65536 thin \(pool.number) 0")
        func isSuspended() throws -> [Bool] {
            let state = try fixture.control.information(on: .name(thin.name))
            return [state.isInternallySuspended, state.isSuspended]
        }
        #expect(try isSuspended() == [false, false])
        let during = try fixture.control.whileSuspended(.name(pool.name), options: .noFlush) { try isSuspended() }
        #expect(during == [true, false])
        #expect(try isSuspended() == [false, false])
    }

    /// The kernel selects the devices where it can, and the library where it cannot.
    @Test func listsByUUID() throws {
        let prefix = fixture.prefix
        let first = try fixture.device("first", "0 10 zero", uuid: "\(prefix)A-1")
        try fixture.device("second", "0 10 zero", uuid: "\(prefix)B-1")
        try fixture.device("third", "0 10 zero")
        let found = try fixture.control.devices(uuidPrefix: "\(prefix)A")
        #expect(found.map(\.name) == [first.name])
        #expect(found.first?.uuid == first.uuid)
        #expect(try fixture.control.devices(uuidPrefix: prefix).count == 2)
        #expect(try fixture.control.devices(withPrefix: "\(prefix)second", uuidPrefix: prefix).count == 1)
        #expect(try fixture.control.devices(withPrefix: "\(prefix)third", uuidPrefix: prefix).isEmpty)
    }
}
