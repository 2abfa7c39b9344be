import DeviceMapper
import TestSupport
import Testing

/// The kernel's reasons, which it tells in its log only.
@Suite(.serialized) struct DMReasonTests {
    let fixture: DMFixture

    init() throws {
        fixture = try DMFixture()
    }

    private func expectReason(_ reason: String, _ body: () throws -> Void) {
        #expect {
            try body()
        } throws: { error in
            guard let error = error as? DeviceMapperError else { return false }
            let isTold = error.kernelReason.contains { $0.contains(reason) } && "\(error)".contains(reason)
            if !isTold { Issue.record("\(error)") }
            return isTold
        }
    }

    @Test func explainsARefusedTable() throws {
        let pool = try fixture.pool("pool").number
        let disk = try fixture.disk("disk")
        let name = DeviceReference.name(try fixture.control.createDevice(fixture.name("device")).name)
        func load(_ table: String) throws { try fixture.control.loadTable(MappingTable(parsing: table), into: name) }

        expectReason("Couldn't open thin internal device") { try load("0 10 thin \(pool) 7") }
        expectReason("Invalid block size") { try load("0 1000 thin-pool \(disk) \(try fixture.disk("data")) 100 0") }
        expectReason("Invalid argument count") { try load("0 10 linear \(disk)") }
        expectReason("Device lookup failed") { try load("0 10 linear 4095:1 0") }
        expectReason("unknown target type") { try load("0 10 no-such-target") }
        expectReason("Gap in table") { try load("5 10 zero") }
        #expect(try !fixture.control.information(on: name).hasInactiveTable)
    }

    @Test func explainsARefusedMessage() throws {
        let pool = DeviceReference.name(try fixture.pool("pool").name)
        expectReason("Unrecognised thin pool target message received: make_coffee") {
            try fixture.control.sendMessage("make_coffee", to: pool)
        }
        expectReason("Creation of new thinly-provisioned device with id 0 failed") {
            try fixture.control.sendMessage("create_thin 0", to: pool)
            try fixture.control.sendMessage("create_thin 0", to: pool)
        }
    }

    @Test func tellsNothingOfWhatWasBefore() throws {
        try Shell.run("echo 'device-mapper: table: an older message' > /dev/kmsg")
        #expect {
            try fixture.control.information(on: .name(try fixture.name("missing")))
        } throws: {
            ($0 as? DeviceMapperError)?.kernelReason == []
        }
        try fixture.control.createDevice(fixture.name("device"))
        #expect {
            try fixture.control.loadTable(MappingTable(parsing: "0 10 zero 1"), into: .name(try fixture.name("device")))
        } throws: { error in
            guard let error = error as? DeviceMapperError else { return false }
            return !error.kernelReason.isEmpty && !error.kernelReason.contains { $0.contains("older") }
        }
    }
}
