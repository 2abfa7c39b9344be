import DeviceMapper
import TestSupport
import Testing

/// The abilities of dmsetup in the group `dm`.
@Suite(.serialized) struct DMAbilityTests {
    let fixture: DMFixture

    init() throws {
        fixture = try DMFixture()
    }

    /// Runs a command with --json, and gives its standard output to jq.
    private func json(_ arguments: String, _ filter: String) throws -> String {
        try Shell.run("'\(DMLayerCommand.path)' dm \(arguments) --json 2>/dev/null | jq -c -r '\(filter)'")
    }

    @Test func drawsTrees() throws {
        let disk = try fixture.disk("disk")
        let loop = try Shell.run("basename $(readlink /sys/dev/block/\(disk))")
        let lower = try fixture.device("lower", "0 100 linear \(disk) 0", uuid: "\(fixture.prefix)uuid")
        let left = try fixture.device("left", "0 10 linear \(lower.number) 0")
        let right = try fixture.device("right", "0 10 linear \(lower.number) 0\n10 10 linear \(disk) 0")
        let prefix = fixture.prefix
        #expect(
            try DMLayerCommand.run("dm tree") == """
                \(prefix)left (\(left.number))
                └─ \(prefix)lower (\(lower.number))
                   └─ \(loop) (\(disk))
                \(prefix)right (\(right.number))
                ├─ \(loop) (\(disk))
                └─ \(prefix)lower (\(lower.number))
                   └─ \(loop) (\(disk))
                """)
        #expect(
            try DMLayerCommand.run("dm tree --inverted") == """
                \(loop) (\(disk))
                ├─ \(prefix)lower (\(lower.number))
                │  ├─ \(prefix)left (\(left.number))
                │  └─ \(prefix)right (\(right.number))
                └─ \(prefix)right (\(right.number))
                """)
        #expect(try json("tree", ".[0].children[0].uuid") == "\(prefix)uuid")
        #expect(try json("tree", ".[0].children[0].children[0].kernel_name") == loop)
    }

    @Test func makesRequestsFail() throws {
        let disk = try fixture.disk("disk")
        let device = try fixture.device("device", "0 100 linear \(disk) 0")
        #expect(try json("wipe-table \(device.name) --no-flush --skip-freeze", ".target_count") == "1")
        #expect(try fixture.control.table(of: .name(device.name)).description == "0 100 error")
        #expect(try fixture.control.dependencies(of: .name(device.name)).isEmpty)
        // A device without a table stays as it is.
        try fixture.control.createDevice(fixture.name("empty"))
        #expect(try json("wipe-table \(fixture.prefix)empty", ".active_table") == "false")
    }

    /// A removal by force frees the devices below, also when the device stays.
    @Test func removesByForce() throws {
        let device = try fixture.device("device", "0 100 linear \(fixture.disk("disk")) 0")
        let command = "'\(DMLayerCommand.path)' dm remove --force \(device.name)"
        #expect(try Shell.runForStatus("exec 3< /dev/dm-\(device.number.minor); \(command)").status == 1)
        #expect(try fixture.control.table(of: .name(device.name)).description == "0 100 error")
        try fixture.control.createDevice(fixture.name("empty"))
        for name in ["device", "empty"] { try DMLayerCommand.run("dm remove --force \(fixture.prefix)\(name)") }
        #expect(try fixture.control.devices(withPrefix: fixture.prefix).isEmpty)
    }

    @Test func removesADeviceThatIsSoonClosed() throws {
        let device = try fixture.device("device", "0 100 zero")
        let command = "'\(DMLayerCommand.path)' dm remove \(device.name)"
        try Shell.run("sh -c 'exec 3< /dev/dm-\(device.number.minor); sleep 1' & sleep 0.2; \(command) --retry 20")
        #expect(try fixture.control.informationIfPresent(on: .name(device.name)) == nil)
        let other = try fixture.device("other", "0 100 zero")
        let start = ContinuousClock.now
        let late = try Shell.runForStatus(
            "exec 3< /dev/dm-\(other.number.minor); '\(DMLayerCommand.path)' dm remove \(other.name) --retry 0.5")
        #expect(late.status == 1)
        #expect(late.output == "dmlayer: cannot remove the device \(other.name): it is in use (EBUSY)")
        #expect(start.duration(to: .now) >= .milliseconds(500))
    }

    @Test func removesAllDevices() throws {
        let used = try fixture.device("used", "0 100 zero")
        try fixture.device("free", "0 100 zero")
        let (status, output) = try Shell.runForStatus(
            """
            exec 3< /dev/dm-\(used.number.minor)
            '\(DMLayerCommand.path)' dm remove-all --json 2>/dev/null | jq -c '[.removed, .remaining]'
            '\(DMLayerCommand.path)' dm remove-all --force
            '\(DMLayerCommand.path)' dm table \(used.name)
            '\(DMLayerCommand.path)' dm remove-all --deferred
            """)
        #expect(status == 0)
        #expect(
            output == """
                [["\(fixture.prefix)free"],["\(used.name)"]]
                dmlayer: \(used.name) is in use and stays
                0 100 error \n\
                dmlayer: \(used.name) is in use; it goes away when it is closed for the last time
                """)
        #expect(try fixture.control.devices().isEmpty)
    }

    /// No udevd runs in the sandbox, so no link is in the way.
    @Test func makesNodes() throws {
        let device = try fixture.device("device", "0 100 zero")
        let node = "/dev/mapper/\(device.name)"
        #expect(try DMLayerCommand.run("dm mknodes --uid 7 --gid 8 --mode 604 \(device.name)") == "made \(node)")
        let number = "\(String(device.number.major, radix: 16)):\(String(device.number.minor, radix: 16))"
        #expect(try Shell.run("stat -c '%F %a %u %g %t:%T' \(node)") == "block special file 604 7 8 \(number)")
        #expect(try DMLayerCommand.run("dm mknodes").isEmpty)
        let second = try fixture.device("second", "0 100 zero")
        try fixture.control.removeDevice(.name(device.name))
        #expect(
            try json("mknodes", "[.made[], .removed[]] | join(\" \")") == "\(second.name) \(device.name)")
        try fixture.control.removeDevice(.name(second.name))
        #expect(try DMLayerCommand.run("dm mknodes \(second.name)") == "removed /dev/mapper/\(second.name)")
        #expect(try DMLayerCommand.runForStatus("dm mknodes --mode 9").status == 64)
    }

    @Test func setsAGeometry() throws {
        let device = try fixture.device("device", "0 2048 zero")
        #expect(try json("setgeometry \(device.name) 4 8 63 1", ".name") == "\(device.name)")
        #expect(
            try Shell.run("sfdisk --show-geometry /dev/dm-\(device.number.minor)").hasSuffix(
                "4 cylinders, 8 heads, 63 sectors/track"))
        #expect(try DMLayerCommand.runForStatus("dm setgeometry \(device.name) 4 8 63 99999999").status == 1)
    }

    @Test func listsByTargetAndUUID() throws {
        let disk = try fixture.disk("disk")
        try fixture.device("zero", "0 10 zero", uuid: "\(fixture.prefix)A-1")
        try fixture.device("mixed", "0 10 zero\n10 10 linear \(disk) 0", uuid: "\(fixture.prefix)B-1")
        try fixture.control.createDevice(fixture.name("empty"))
        let names = "[.[].name | ltrimstr(\"\(fixture.prefix)\")] | sort | join(\" \")"
        #expect(try json("ls --target linear", names) == "mixed")
        #expect(try json("ls --target zero", names) == "mixed zero")
        #expect(try json("ls --uuid-prefix \(fixture.prefix)", names) == "mixed zero")
        #expect(try json("ls --uuid-prefix \(fixture.prefix)A", names) == "zero")
        #expect(try json("ls --uuid-prefix \(fixture.prefix)A --prefix \(fixture.prefix)mixed", names).isEmpty)
        #expect(try json("table --target linear", "[.[].segments[].target] | join(\" \")") == "linear")
        #expect(try json("status --target zero", names) == "mixed zero")
        #expect(try DMLayerCommand.run("dm table --target linear \(fixture.prefix)zero").isEmpty)
    }

    @Test func looksAtInactiveTables() throws {
        let device = try fixture.device("device", "0 10 zero")
        try fixture.control.loadTable(MappingTable(parsing: "0 10 zero\n10 20 error"), into: device.reference)
        #expect(try json("info --inactive \(device.name)", ".target_count") == "2")
        #expect(try json("info \(device.name)", ".target_count") == "1")
        #expect(
            try json("status --inactive \(device.name)", "[.segments[].target] | join(\" \")") == "zero error")
    }

    @Test func tellsWhatIsMeasured() throws {
        let disk = try fixture.disk("disk")
        let device = try fixture.device("device", "0 100 linear \(disk) 8")
        guard try fixture.control.version().minor >= 45 else {
            let (status, output) = try DMLayerCommand.runForStatus("dm measure \(device.name)")
            #expect(status == 1)
            #expect(output.hasSuffix("the kernel tells since Linux 5.15 what it measures"), "\(output)")
            return
        }
        let version = try fixture.control.targetVersion(of: "linear").version
        let text = "target_name=linear,target_version=\(version),device_name=\(disk),start=8;"
        #expect(try DMLayerCommand.run("dm measure \(device.name)") == "0 100 linear \(text)")
        #expect(try json("measure", ".[0].segments[0].measurement") == text)
        try fixture.control.loadTable(MappingTable(ErrorTarget(), length: 10), into: device.reference)
        #expect(try json("measure --inactive \(device.name)", ".segments[0].target") == "error")
    }

    @Test func setsReadAhead() throws {
        let name = "\(fixture.prefix)device"
        try DMLayerCommand.run("dm create \(name) --table '0 2048 zero' --read-ahead 64")
        #expect(try json("info \(name)", ".read_ahead") == "64")
        #expect(try json("resume \(name) --read-ahead none", ".read_ahead") == "0")
        #expect(try json("resume \(name) --read-ahead +256", ".read_ahead") == "256")
        #expect(try json("resume \(name) --read-ahead +32", ".read_ahead") == "256")
        #expect(try DMLayerCommand.runForStatus("dm resume \(name) --read-ahead much").status == 64)
    }

    @Test func splitsNames() throws {
        #expect(try DMLayerCommand.run("dm splitname a--b-c-d") == "a-b c d")
        #expect(try json("splitname a-b", "[.volume_group, .logical_volume, .layer] | join(\",\")") == "a,b,")
    }

    @Test func printsEventsAsObjects() throws {
        let device = try fixture.device("device", "0 10 zero")
        let output = fixture.scratch.appending("events")
        let process = try Shell.run(
            "'\(DMLayerCommand.path)' dm events --json --prefix \(fixture.prefix) > '\(output)' 2>&1 & echo $!")
        defer { _ = try? Shell.run("kill \(process) 2>&1") }
        // The command has looked once when it prints that a device was created.
        var round = 0
        try Patience.until {
            round += 1
            try fixture.device("new-\(round)", "0 10 zero")
            return try Shell.run("cat '\(output)'").contains("created")
        }
        let name = "\(fixture.prefix)renamed"
        try fixture.control.renameDevice(device.name, to: DeviceName(name))
        try fixture.control.removeDevice(.name(DeviceName(name)))
        try Patience.until { try Shell.run("cat '\(output)'").contains("removed") }
        // The kernel may be asked between the two changes, or only behind both.
        let filter = "select(.change == \"removed\") | [.name, .number, (.event_number | tostring)] | join(\" \")"
        let found = try Shell.run("jq -r '\(filter)' < '\(output)'")
        #expect(["\(name) \(device.number) 1", "\(device.name) \(device.number) 0"].contains(found), "\(found)")
        let renamed = try Shell.run("jq -r 'select(.change == \"renamed\") | .old_name' < '\(output)'")
        #expect(renamed.isEmpty || renamed == "\(device.name)")
    }
}
