import DeviceMapper
import TestSupport
import Testing

/// Names, uuids and lists of devices.
@Suite(.serialized) struct DMListTests {
    let fixture: DMFixture

    init() throws {
        fixture = try DMFixture()
    }

    @Test func listsAThousandDevicesWhateverTheFirstBuffer() throws {
        let count = 1000
        for index in 0..<count {
            let name = try fixture.name("\(index)")
            try fixture.control.createDevice(name, uuid: DeviceUUID("uuid-\(name)"))
        }
        let control = Control(transport: try KernelTransport(), bufferSize: 512)
        let devices = try control.devices(withPrefix: fixture.prefix)
        #expect(Set(devices.map(\.name.description)) == Set((0..<count).map { "\(fixture.prefix)\($0)" }))
        #expect(Set(devices.map(\.number)).count == count)
        #expect(devices.allSatisfy { $0.eventNumber == 0 })
        if try control.version() >= InterfaceVersion(major: 4, minor: 45, patch: 0) {
            #expect(devices.allSatisfy { $0.uuid?.description == "uuid-\($0.name)" })
        } else {
            #expect(devices.allSatisfy { $0.uuid == nil })
        }
        // Every name of the kernel is one of dmsetup's.
        #expect(
            try Shell.run("dmsetup ls | grep '^\(fixture.prefix)' | sort")
                == devices.map { "\($0.name)\t(\($0.number))" }.sorted().joined(separator: "\n"))
    }

    @Test func readsLongAnswersWhateverTheFirstBuffer() throws {
        let disk = try fixture.disk("disk")
        let table = (0..<1000).map { "\($0 * 8) 8 linear \(disk) \($0 * 16)" }.joined(separator: "\n")
        let name = try fixture.device("long", table).name
        let control = Control(transport: try KernelTransport(), bufferSize: 512)
        #expect(try control.table(of: .name(name)).description == table)
        #expect(try control.status(of: .name(name)).count == 1000)
        #expect(try control.dependencies(of: .name(name)) == [disk])
        #expect(try control.targetVersions() == Control().targetVersions())
    }

    @Test func listsOnlyNamesWithThePrefix() throws {
        try fixture.control.createDevice(fixture.name("one"))
        try fixture.control.createDevice(fixture.name("other"))
        try fixture.control.createDevice(fixture.name("x"))
        func names(_ prefix: String) throws -> Set<String> {
            Set(try fixture.control.devices(withPrefix: prefix).map(\.name.description))
        }
        #expect(try names(fixture.prefix + "o") == [fixture.prefix + "one", fixture.prefix + "other"])
        #expect(try names(fixture.prefix + "x") == [fixture.prefix + "x"])
        #expect(try names(fixture.prefix + "xx").isEmpty)
        #expect(try names("").isSuperset(of: names(fixture.prefix)))
        #expect(try DMLayerCommand.run("dm ls --prefix \(fixture.prefix)x").hasPrefix(fixture.prefix + "x\t("))
    }

    @Test func takesTheLongestNameAndUUID() throws {
        let text = fixture.prefix + String(repeating: "n", count: 127 - fixture.prefix.utf8.count)
        let name = try DeviceName(text)
        let uuid = try DeviceUUID(fixture.prefix + String(repeating: "u", count: 128 - fixture.prefix.utf8.count))
        try fixture.control.createDevice(name, uuid: uuid)
        let information = try fixture.control.information(on: .name(name))
        #expect(information.name == name)
        #expect(information.uuid == uuid)
        #expect(try fixture.control.information(on: .uuid(uuid)).name == name)
        #expect(try fixture.control.devices(withPrefix: text).map(\.name) == [name])
        #expect(throws: DeviceMapperError.self) { try DeviceName(text + "n") }
        let renamed = try DeviceName(fixture.prefix + String(repeating: "r", count: 127 - fixture.prefix.utf8.count))
        try fixture.control.renameDevice(name, to: renamed)
        #expect(try fixture.control.information(on: .uuid(uuid)).name == renamed)
    }

    @Test func findsDevicesWithNamesOfOtherPrograms() throws {
        try Shell.run("dmsetup create '\(fixture.prefix)a b' --notable")
        let name = try DeviceName(existing: fixture.prefix + "a\\x20b")
        #expect(try fixture.control.devices(withPrefix: fixture.prefix).map(\.name) == [name])
        #expect(try DMLayerCommand.run("dm ls --prefix \(fixture.prefix)").hasPrefix(name.description + "\t("))
        try DMLayerCommand.run("dm remove '\(name)'")
        #expect(try fixture.control.devices(withPrefix: fixture.prefix).isEmpty)
    }

    @Test func hasAListWithoutDevices() throws {
        #expect(try fixture.control.devices(withPrefix: fixture.prefix).isEmpty)
        #expect(try DMLayerCommand.run("dm ls --prefix \(fixture.prefix) 2>/dev/null").isEmpty)
        #expect(
            try DMLayerCommand.runForStatus("dm ls --prefix \(fixture.prefix)")
                == (0, "dmlayer: No devices found"))
    }
}
