import DeviceMapper
import SystemPackage
import TestSupport
import Testing

/// The commands one by one, and what they answer when they cannot be carried out.
@Suite(.serialized) struct DMControlTests {
    let fixture: DMFixture

    init() throws {
        fixture = try DMFixture()
    }

    private var control: Control { fixture.control }

    private func expect(_ code: DeviceMapperError.Code, _ body: () throws -> Void) {
        #expect(throws: DeviceMapperError.self) {
            do {
                try body()
            } catch let error as DeviceMapperError {
                #expect(error.code == code, "\(error)")
                throw error
            }
        }
    }

    private func dmsetupState(_ name: DeviceName, _ columns: String) throws -> String {
        try Shell.run("dmsetup info --columns --noheadings --options \(columns) \(name)")
    }

    @Test func makesATableActiveInTwoSteps() throws {
        let name = try fixture.name("device")
        let disk = try fixture.disk("disk")
        let created = try control.createDevice(name, uuid: DeviceUUID(fixture.prefix + "uuid"))
        #expect(!created.hasActiveTable && !created.hasInactiveTable)
        #expect(try control.table(of: .name(name)).entries.isEmpty)
        #expect(try control.status(of: .name(name)).isEmpty)
        #expect(try control.dependencies(of: .name(name)).isEmpty)

        let table = MappingTable(LinearTarget(device: .number(disk), start: 8), length: 1000)
        try control.loadTable(table, into: .name(name))
        #expect(try control.information(on: .name(name)).hasInactiveTable)
        #expect(try control.table(of: .name(name)).entries.isEmpty)
        #expect(try control.table(of: .name(name), inactive: true) == table)
        #expect(try control.dependencies(of: .name(name)).isEmpty)
        #expect(try control.dependencies(of: .name(name), inactive: true) == [disk])

        let resumed = try control.resumeDevice(.name(name))
        #expect(resumed.hasActiveTable && !resumed.hasInactiveTable && !resumed.isSuspended)
        #expect(resumed.targetCount == 1)
        #expect(try control.table(of: .uuid(DeviceUUID(fixture.prefix + "uuid"))) == table)
        #expect(try control.table(of: .number(resumed.number)) == table)
        #expect(try Shell.run("blockdev --getsz /dev/dm-\(resumed.number.minor)") == "1000")
    }

    @Test func dropsATableThatWasNotMadeActive() throws {
        let name = try fixture.device("device", "0 10 zero").name
        try control.loadTable(MappingTable(.error, length: 20), into: .name(name))
        #expect(try dmsetupState(name, "tables_loaded") == "Both")
        try control.clearTable(of: .name(name))
        #expect(try dmsetupState(name, "tables_loaded") == "Live")
        #expect(try control.table(of: .name(name), inactive: true).entries.isEmpty)
        #expect(try control.table(of: .name(name)).length == 10)
    }

    @Test func replacesATableOrLeavesTheOldOne() throws {
        let name = try fixture.device("device", "0 10 zero").name
        try control.replaceTable(of: .name(name), with: MappingTable(.error, length: 20), options: [])
        #expect(try control.table(of: .name(name)) == MappingTable(.error, length: 20))
        #expect(throws: DeviceMapperError.self) {
            try control.replaceTable(
                of: .name(name), with: MappingTable(parsing: "0 10 linear 4095:1048575 0"), options: [])
        }
        #expect(try control.table(of: .name(name)) == MappingTable(.error, length: 20))
        #expect(try dmsetupState(name, "suspended,tables_loaded") == "Active:Live")
    }

    /// A pool finds out that its new table is too short when it is resumed, and stays suspended then.
    @Test func goesOnWithTheOldTableWhenTheNewOneCannotBeMadeActive() throws {
        let pool = try fixture.pool("pool")
        try control.sendMessage("create_thin 0", to: .name(pool.name))
        let old = try control.table(of: .name(pool.name))
        var short = old
        short.entries[0].length = 65536
        #expect {
            try control.replaceTable(of: .name(pool.name), with: short, options: .noFlush)
        } throws: {
            ($0 as? DeviceMapperError)?.kernelReason.contains { $0.contains("too small") } == true
        }
        #expect(try dmsetupState(pool.name, "suspended,tables_loaded") == "Active:Live")
        #expect(try control.table(of: .name(pool.name)) == old)
        let thin = try fixture.device("thin", "0 2048 thin \(pool.number) 0")
        try Shell.run("dd if=/dev/zero of=/dev/dm-\(thin.number.minor) bs=4096 count=1 oflag=direct")
    }

    @Test(arguments: [[], .noFlush, .skipLockFS, [.noFlush, .skipLockFS]] as [SuspendOptions])
    func suspendsAndResumes(options: SuspendOptions) throws {
        let name = try fixture.device("device", "0 10 zero").name
        try control.suspendDevice(.name(name), options: options)
        #expect(try control.information(on: .name(name)).isSuspended)
        #expect(try dmsetupState(name, "suspended") == "Suspended")
        try control.suspendDevice(.name(name), options: options)
        #expect(try !control.resumeDevice(.name(name), options: options).isSuspended)
        #expect(try dmsetupState(name, "suspended") == "Active")
    }

    @Test func renamesAndGivesAUUIDOnce() throws {
        let old = try fixture.device("old", "0 10 zero")
        let new = try fixture.name("new")
        try control.renameDevice(old.name, to: new)
        #expect(try control.informationIfPresent(on: .name(old.name)) == nil)
        #expect(try control.information(on: .name(new)).number == old.number)
        let uuid = try DeviceUUID(fixture.prefix + "uuid")
        try control.setUUID(of: new, to: uuid)
        #expect(try dmsetupState(new, "name,uuid") == "\(new):\(uuid)")
        expect(.invalidArgument) { try control.setUUID(of: new, to: try DeviceUUID(fixture.prefix + "other")) }
        try control.createDevice(fixture.name("taken"))
        expect(.busy) { try control.renameDevice(new, to: try fixture.name("taken")) }
        expect(.noSuchDevice) { try control.renameDevice(old.name, to: try fixture.name("free")) }
    }

    @Test func makesAReadOnlyDevice() throws {
        let table = MappingTable(
            LinearTarget(device: .number(try fixture.disk("disk")), start: 0), length: 100, isReadOnly: true)
        let device = try control.activateDevice(fixture.name("device"), uuid: nil, table: table)
        #expect(device.isReadOnly)
        #expect(try control.table(of: .name(device.name)).isReadOnly)
        #expect(try Shell.run("blockdev --getro /dev/dm-\(device.number.minor)") == "1")
    }

    @Test func takesTheMinorNumberThatItIsGiven() throws {
        let device = try control.createDevice(fixture.name("device"), minor: 1234)
        #expect(device.number.minor == 1234)
        expect(.busy) { try control.createDevice(try fixture.name("second"), minor: 1234) }
        expect(.invalidName) { try control.createDevice(try fixture.name("second"), minor: 1 << 20) }
        #expect(try control.createDevice(fixture.name("second"), minor: 1_048_575).number.minor == 1_048_575)
    }

    @Test func removesWhenTheLastUserIsGone() throws {
        let device = try fixture.device("device", "0 100 zero")
        let node = try FileDescriptor.open(FilePath("/dev/dm-\(device.number.minor)"), .readOnly)
        #expect(try control.information(on: .name(device.name)).openCount == 1)
        expect(.busy) { try control.removeDevice(.name(device.name)) }
        #expect(try control.removeDevice(.name(device.name), deferred: true) == .deferred)
        #expect(try control.information(on: .name(device.name)).isRemovalDeferred)
        try node.close()
        // The kernel removes it on a thread of its own.
        for _ in 0..<100 where try control.informationIfPresent(on: .name(device.name)) != nil {
            try Shell.run("sleep 0.02")
        }
        #expect(try control.informationIfPresent(on: .name(device.name)) == nil)
        try fixture.device("unused", "0 100 zero")
        #expect(try control.removeDevice(.name(fixture.name("unused")), deferred: true) == .removed)
    }

    @Test func cancelsADeferredRemoval() throws {
        let device = try fixture.device("device", "0 100 zero")
        let node = try FileDescriptor.open(FilePath("/dev/dm-\(device.number.minor)"), .readOnly)
        try control.removeDevice(.name(device.name), deferred: true)
        try control.sendMessage("@cancel_deferred_remove", to: .name(device.name))
        try node.close()
        #expect(try !control.information(on: .name(device.name)).isRemovalDeferred)
    }

    @Test func refusesWhatIsThereOrIsNot() throws {
        let device = try fixture.device("device", "0 10 zero", uuid: fixture.prefix + "uuid")
        expect(.busy) { try control.createDevice(device.name) }
        expect(.busy) { try control.createDevice(try fixture.name("second"), uuid: device.uuid) }
        #expect(try control.devices(withPrefix: fixture.prefix).map(\.name) == [device.name])

        let missing: [DeviceReference] = [
            .name(try fixture.name("missing")), .uuid(try DeviceUUID(fixture.prefix + "missing")),
            .number(try #require(DeviceNumber(major: device.number.major, minor: 1_048_574))),
        ]
        for reference in missing {
            #expect(try control.informationIfPresent(on: reference) == nil)
            expect(.noSuchDevice) { _ = try control.information(on: reference) }
            expect(.noSuchDevice) { try control.removeDevice(reference) }
            expect(.noSuchDevice) { try control.suspendDevice(reference) }
            expect(.noSuchDevice) { try control.resumeDevice(reference) }
            expect(.noSuchDevice) { try control.loadTable(MappingTable(.zero, length: 10), into: reference) }
            expect(.noSuchDevice) { try control.clearTable(of: reference) }
            expect(.noSuchDevice) { _ = try control.table(of: reference) }
            expect(.noSuchDevice) { _ = try control.status(of: reference) }
            expect(.noSuchDevice) { _ = try control.dependencies(of: reference) }
            expect(.noSuchDevice) { try control.sendMessage("x", to: reference) }
        }
    }

    @Test func knowsTheErrorsOfAThinPool() throws {
        let pool = DeviceReference.name(try fixture.pool("pool").name)
        #expect(try control.sendMessage("create_thin 0", to: pool) == nil)
        expect(.alreadyExists) { try control.sendMessage("create_thin 0", to: pool) }
        expect(.noSuchThing) { try control.sendMessage("delete 7", to: pool) }
        expect(.invalidArgument) { try control.sendMessage("create_thin 16777216", to: pool) }
        expect(.invalidArgument) { try control.sendMessage("set_transaction_id 5 6", to: pool) }
        expect(.invalidArgument) { try control.sendMessage("make_coffee", to: pool) }
        expect(.invalidArgument) { try control.sendMessage("create_thin 1", to: pool, sector: 1_000_000_000) }
        expect(.failed) { try control.sendMessage("create_thin 1\0", to: pool) }
        #expect(try control.status(of: pool).first?.text.hasPrefix("0 ") == true)
    }

    @Test func removesEveryDeviceThatIsNotOpen() throws {
        let open = try fixture.device("open", "0 10 zero")
        try fixture.device("one", "0 10 zero")
        try fixture.device("two", "0 10 zero")
        let node = try FileDescriptor.open(FilePath("/dev/dm-\(open.number.minor)"), .readOnly)
        defer { try? node.close() }
        // It spares nobody's devices.
        try #require(try control.devices().allSatisfy { $0.name.description.hasPrefix(fixture.prefix) })
        try control.removeAllDevices()
        #expect(try control.devices().map(\.name) == [open.name])
        try control.removeAllDevices(deferred: true)
        #expect(try control.information(on: .name(open.name)).isRemovalDeferred)
    }

    @Test func setsTheGeometry() throws {
        let device = try fixture.device("device", "0 100000 zero")
        try control.setGeometry(of: .name(device.name), cylinders: 10, heads: 7, sectorsPerTrack: 5, start: 0)
        #expect(
            try Shell.run("sfdisk --show-geometry /dev/dm-\(device.number.minor)").contains("7 heads, 5 sectors/track"))
    }

    @Test func knowsTheTargets() throws {
        let listed = try control.targetVersions()
        #expect(
            listed.map { "\($0.name) v\($0.version)" }
                == (try Shell.run("dmsetup targets | tr -s ' '").split(separator: "\n").map(String.init)))
        // This one is a module that nothing has loaded.
        #expect(try control.targetVersion(of: "unstriped").name == "unstriped")
        #expect(try control.targetVersions().contains { $0.name == "unstriped" })
        expect(.notSupported) { _ = try control.targetVersion(of: "no-such-target") }
        expect(.invalidName) { _ = try control.targetVersion(of: "a-target-of-name-16") }
        #expect(try Shell.run("dmsetup version").contains("Driver version:    \(control.version())"))
    }
}
