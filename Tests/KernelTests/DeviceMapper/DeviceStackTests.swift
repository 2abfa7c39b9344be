import DeviceMapper
import TestSupport
import Testing

/// Devices that are made together, and devices for a time.
@Suite(.serialized) struct DeviceStackTests {
    let fixture: DMFixture

    init() throws {
        fixture = try DMFixture()
    }

    private func plan(_ suffix: String, _ table: String) throws -> PlannedDevice {
        try PlannedDevice(
            fixture.name(suffix),
            table: MappingTable(parsing: table.replacing("@", with: "/dev/mapper/\(fixture.prefix)")))
    }

    private var names: [String] {
        get throws {
            try fixture.control.devices(withPrefix: fixture.prefix)
                .map { String($0.name.description.dropFirst(fixture.prefix.count)) }.sorted()
        }
    }

    @Test func makesDevicesFromTheBottom() throws {
        let disk = try fixture.disk("disk")
        let devices = try fixture.control.activateDevices([
            plan("top", "0 16 linear @left 0\n16 16 linear @right 8"), plan("left", "0 64 linear @bottom 0"),
            plan("right", "0 64 linear @bottom 64"), plan("bottom", "0 128 linear \(disk) 0"),
        ])
        #expect(devices.map(\.name) == (try ["top", "left", "right", "bottom"].map(fixture.name)))
        #expect(try fixture.control.dependencies(of: .number(devices[0].number)).count == 2)
        #expect(
            try fixture.control.dependencies(of: .number(devices[1].number)) == [devices[3].number])
        try Shell.run("dd if=/dev/zero of=/dev/dm-\(devices[0].number.minor) bs=512 count=32 oflag=direct")
    }

    @Test func leavesNothingOfDevicesThatCannotAllBeMade() throws {
        let disk = try fixture.disk("disk")
        let other = try fixture.device("other", "0 8 zero")
        func expect(_ code: DeviceMapperError.Code, _ plans: [PlannedDevice]) throws {
            let error = #expect(throws: DeviceMapperError.self) { try fixture.control.activateDevices(plans) }
            #expect(error?.code == code, "\(error?.description ?? "")")
            #expect(try names == ["other"])
        }
        let bottom = try plan("bottom", "0 128 linear \(disk) 0")
        try expect(
            .invalidArgument, [plan("top", "0 8 linear @middle 1000"), plan("middle", "0 64 linear @bottom 0"), bottom])
        try expect(.busy, [plan("other", "0 8 linear @bottom 0"), bottom])
        try expect(.invalidTable, [plan("a", "0 8 linear @b 0"), plan("b", "0 8 linear @a 0"), bottom])
        try expect(.invalidTable, [plan("a", "0 8 linear @a 0")])
        try expect(.invalidTable, [bottom, bottom])
        #expect(try fixture.control.information(on: .name(other.name)).number == other.number)
    }

    @Test func removesADeviceThatIsForATimeOnly() throws {
        let name = try fixture.name("device")
        let table = MappingTable(ZeroTarget(), length: 8)
        let size = try fixture.control.withTemporaryDevice(name, table: table) { device in
            try Shell.run("blockdev --getsz /dev/dm-\(device.number.minor)")
        }
        #expect(size == "8")
        #expect(try names.isEmpty)
        #expect(throws: CancellationError.self) {
            try fixture.control.withTemporaryDevice(name, table: table) { _ in throw CancellationError() }
        }
        #expect(try names.isEmpty)
        // It may be gone already.
        _ = try fixture.control.withTemporaryDevice(name, table: table) { device in
            try fixture.control.removeDevice(device.reference)
        }
        let other = try fixture.device("device", "0 8 zero")
        #expect(throws: DeviceMapperError.self) { try fixture.control.withTemporaryDevice(name, table: table) { _ in } }
        #expect(try fixture.control.information(on: .name(name)).number == other.number)
    }
}
