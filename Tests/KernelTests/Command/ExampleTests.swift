import DeviceMapper
import SystemPackage
import TestSupport
import Testing

/// The programs of `Examples`, which the documentation explains.
@Suite(.serialized) struct ExampleTests {
    let fixture: DMFixture

    init() throws {
        fixture = try DMFixture()
    }

    private func run(_ example: String, _ arguments: String) throws -> String {
        try Shell.run("'\(DMLayerCommand.builtPrograms.appending(example))' \(arguments)")
    }

    @Test func makesALinearDevice() throws {
        let disk = try fixture.disk("disk")
        let name = try fixture.name("linear")
        let node = try run("LinearDevice", "\(name) \(disk)")
        #expect(try Shell.run("blockdev --getsz \(node)") == "2048")
        #expect(try Shell.run("dmsetup table \(name)") == "0 2048 linear \(disk) 0")
    }

    @Test func watchesAPool() throws {
        let pool = try fixture.pool("pool", lowWaterMark: 1000)
        try fixture.control.sendMessage("create_thin 0", to: .name(pool.name))
        let thin = try fixture.device("thin", "0 65536 thin \(pool.number) 0")
        let output = fixture.scratch.appending("output")
        let program = DMLayerCommand.builtPrograms.appending("PoolEvents")
        let process = try Shell.run("stdbuf -oL '\(program)' \(pool.name) > '\(output)' 2>&1 & echo $!")
        defer { _ = try? Shell.run("kill \(process) 2>&1") }
        func expectLine(_ line: String) throws {
            try Patience.until { try Shell.run("cat '\(output)'").contains(line) }
        }
        try expectLine("event 0: 1024 of 1024 blocks are free, rw")
        try Shell.run("dd if=/dev/zero of=\(thin.node) bs=1M count=4 oflag=direct")
        try expectLine("event 1: ")
        try fixture.control.removeDevice(.number(thin.number))
        try fixture.removeClosed(pool.number)
        try expectLine("\(pool.name) is gone")
    }

    @Test func copiesAThinDevice() throws {
        let (metadata, data) = (fixture.scratch.appending("metadata"), fixture.scratch.appending("data"))
        try Shell.run("truncate --size=4M '\(metadata)' && truncate --size=64M '\(data)'")
        let printed = try run("ThinSnapshot", "'\(metadata)' '\(data)'")
        #expect(printed == "the copy reads “hello”\nboth take 1 block of the pool")
        #expect(try Shell.run("dmsetup ls") == "No devices found")
        #expect(try Shell.run("losetup --list --noheadings --output BACK-FILE | grep -c '\(metadata)' || true") == "0")
    }
}
