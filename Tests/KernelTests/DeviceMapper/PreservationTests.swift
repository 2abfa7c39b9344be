import BlockDevices
import DeviceMapper
import LogicalVolumes
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

/// Devices from before a command that fails are there unchanged after it.
///
/// Each operation is carried out beside devices that it is not about, or about a device that it must not take away, with
/// every command failing once, before and after it took effect.
@Suite(.serialized) struct PreservationTests {
    let transport: FaultyTransport
    let fixture: DMFixture

    init() throws {
        transport = FaultyTransport(try KernelTransport())
        fixture = try DMFixture(transport: transport)
    }

    private var control: Control { fixture.control }

    /// A device as a bystander sees it.
    private struct Seen: Equatable, CustomStringConvertible {
        let name: String
        let uuid: String?
        let number: String
        let table: String
        let inactive: String
        let isSuspended: Bool
        let isRemovalDeferred: Bool

        var description: String {
            "\(name) \(uuid ?? "-") \(number) [\(table)] [\(inactive)] \(isSuspended) \(isRemovalDeferred)"
        }
    }

    /// All devices whose names begin with `prefix`, in the order of their names.
    private func seen(_ prefix: String) throws -> [Seen] {
        let kernel = try Control()
        return try kernel.devices(withPrefix: prefix).sorted { "\($0.name)" < "\($1.name)" }.map { entry in
            let device = try kernel.information(on: .number(entry.number))
            return Seen(
                name: "\(device.name)", uuid: device.uuid.map { "\($0)" }, number: "\(device.number)",
                table: "\(try kernel.table(of: .number(entry.number)))",
                inactive: device.hasInactiveTable
                    ? "\(try kernel.table(of: .number(entry.number), inactive: true))" : "-",
                isSuspended: device.isSuspended, isRemovalDeferred: device.isRemovalDeferred)
        }
    }

    /// Runs `operation` once for each command that it sends and for each way in which that can fail, until nothing fails.
    ///
    /// - Parameters:
    ///   - undo: Takes away what an operation has made that ended well, or could not take away itself.
    ///   - verify: Checks the state after each failure.
    private func sweep(
        _ operation: () throws -> Void, undo: () throws -> Void, verify: (String) throws -> Void
    ) throws {
        for moment in FaultyTransport.Moment.allCases {
            for point in 0..<100 {
                transport.fail(after: point, moment)
                let failed = (try? operation()) == nil
                let wasReached = !transport.isArmed
                transport.disarm()
                if failed { try verify("command \(point) failed, \(moment)") }
                try undo()
                if !wasReached { break }
            }
        }
    }

    /// Devices that nothing here may change: with a uuid and without, without a table, with a second table, suspended.
    private func makeBystanders() throws -> [Seen] {
        try fixture.device("there", "0 10 zero")
        try fixture.device("there-uuid", "0 10 error", uuid: fixture.prefix + "uuid")
        try control.createDevice(fixture.name("there-empty"), uuid: DeviceUUID(fixture.prefix + "empty"))
        let waiting = try fixture.device("there-waiting", "0 10 zero")
        try control.loadTable(MappingTable(.error, length: 20), into: .number(waiting.number))
        let suspended = try fixture.device("there-suspended", "0 10 zero")
        try control.suspendDevice(.number(suspended.number))
        return try seen(fixture.prefix + "there")
    }

    private func isKept(_ before: [Seen], _ what: String = "") throws {
        let after = try seen(fixture.prefix + "there")
        #expect(after == before, "\(what)")
    }

    // MARK: Commands

    /// `dm create` of a device that is there, with everything that can be wrong besides.
    @Test func createTakesNothingAway() throws {
        let before = try makeBystanders()
        let taken = try #require(before.first?.number.split(separator: ":").last)
        let prefix = fixture.prefix
        let table = "--table '0 10 zero'"
        for name in ["there", "there-uuid", "there-empty", "there-waiting", "there-suspended"] {
            for wrong in [
                table, "\(table) --minor 1048576", "\(table) --minor 4294967295", "\(table) --minor \(taken)",
                "\(table) --minor 77", "\(table) --uuid \(prefix)uuid", "\(table) --uuid \(prefix)empty",
                "\(table) --uuid \(prefix)new", "\(table) --uuid \(prefix)new --minor 1048576",
                "--table '0 10 no-such-target'", "--table '5 10 zero'", "--table nonsense", "--table ''",
                "--table-file /no/such/file", "--no-table", "--no-table --minor \(taken)",
                "\(table) --readonly --wait-for-udev 0",
            ] {
                let (status, output) = try DMLayerCommand.runForStatus("dm create \(prefix)\(name) \(wrong)")
                #expect(status == 1, "\(wrong): \(output)")
                try isKept(before, "create \(name) \(wrong)")
            }
        }
        for wrong in [
            "\(table) --minor 1048576", "\(table) --minor \(taken)", "\(table) --uuid \(prefix)uuid",
            "\(table) --uuid \(prefix)empty", "--table '0 10 no-such-target'", "--table '0 10 linear /no/such 0'",
        ] {
            #expect(try DMLayerCommand.runForStatus("dm create \(prefix)new \(wrong)").status == 1, "\(wrong)")
            try isKept(before, "create new \(wrong)")
            #expect(try control.informationIfPresent(on: .name(fixture.name("new"))) == nil, "\(wrong)")
        }
    }

    /// The other commands that change a device.
    @Test func otherCommandsTakeNothingAway() throws {
        let before = try makeBystanders()
        let prefix = fixture.prefix
        let open = try fixture.device("there-open", "0 10 zero")
        let node = try FileDescriptor.open(FilePath("/dev/dm-\(open.number.minor)"), .readOnly)
        defer { try? node.close() }
        let withOpen = try seen(prefix + "there")
        #expect(withOpen.count == before.count + 1)
        for command in [
            "load \(prefix)there --table '0 10 no-such-target'", "load \(prefix)there --table '5 10 zero'",
            "load \(prefix)there-waiting --table '0 10 linear /no/such/device 0'",
            "load \(prefix)there-waiting --table ''", "load --uuid \(prefix)none --table '0 10 zero'",
            "rename \(prefix)there \(prefix)there-uuid", "rename \(prefix)there \(prefix)there",
            "rename \(prefix)there-uuid --set-uuid \(prefix)other", "rename \(prefix)there --set-uuid \(prefix)uuid",
            "rename \(prefix)none \(prefix)new", "remove \(prefix)there-open", "remove \(prefix)none",
            "remove --uuid \(prefix)none", "remove --number 254:1048575",
            "message \(prefix)there 0 nonsense", "message \(prefix)there-empty 0 nonsense",
        ] {
            #expect(try DMLayerCommand.runForStatus("dm \(command)").status == 1, "\(command)")
            let after = try seen(prefix + "there")
            #expect(after == withOpen, "\(command)")
        }
    }

    // MARK: Every command fails once

    @Test func activatingADevice() throws {
        let before = try makeBystanders()
        let table = try MappingTable(parsing: "0 10 zero")
        for (name, uuid, minor) in [
            ("there", nil, nil), ("there", "new", nil), ("there-uuid", "uuid", nil), ("new", "uuid", nil),
            ("there-empty", "empty", nil), ("new", "empty", nil), ("there", nil, UInt32(1) << 20),
            ("new", "new", nil), ("new", nil, nil), ("new", nil, 900),
        ] {
            try sweep {
                try control.activateDevice(
                    fixture.name(name), uuid: uuid.map { try DeviceUUID(fixture.prefix + $0) }, minor: minor,
                    table: table)
            } undo: {
                _ = try? control.removeDevice(.name(fixture.name("new")))
            } verify: { what in
                try isKept(before, "\(name), \(uuid ?? "-"), \(minor ?? 0): \(what)")
                // Where the answer to the creation was lost, nobody knows whose the device is; it has no table.
                let left = try control.informationIfPresent(on: .name(fixture.name("new")))
                #expect(left.map { !$0.hasActiveTable && !$0.hasInactiveTable } ?? true, "\(what)")
            }
        }
    }

    @Test func replacingATable() throws {
        let before = try makeBystanders()
        for (name, table) in [("there", "0 20 error"), ("there-uuid", "0 20 zero"), ("there", "0 10 no-such-target")] {
            let old = try #require(before.first { $0.name == fixture.prefix + name })
            let reference = DeviceReference.name(try fixture.name(name))
            try sweep {
                try control.replaceTable(of: reference, with: MappingTable(parsing: table), options: .noFlush)
            } undo: {
                try control.replaceTable(of: reference, with: MappingTable(parsing: old.table), options: .noFlush)
                try isKept(before)
            } verify: { what in
                let now = try #require(try seen(fixture.prefix + name).first { $0.name == old.name })
                #expect(now.number == old.number && now.uuid == old.uuid && now.inactive == "-", "\(now): \(what)")
                #expect([old.table, table].contains(now.table) && !now.isSuspended, "\(now): \(what)")
            }
        }
        // A table that somebody else has loaded stays where the kernel does not take the new one.
        #expect(throws: DeviceMapperError.self) {
            try control.replaceTable(
                of: .name(fixture.name("there-waiting")), with: MappingTable(parsing: "0 10 no-such-target"),
                options: [])
        }
        try isKept(before)
    }

    @Test func poolsAndThinDevices() throws {
        let device = try fixture.pool("there-pool")
        let pool = try ThinPool(control, open: .number(device.number))
        let (one, two) = (try #require(ThinDeviceID(1)), try #require(ThinDeviceID(2)))
        try pool.createDevice(one)
        let thin = try pool.activate(
            one, name: fixture.name("there-thin"), uuid: DeviceUUID(fixture.prefix + "thin"), length: 2048)
        let before = try seen(fixture.prefix + "there")
        let (target, length) = try pool.target()

        // A pool under the name or the uuid of a device that is there, on the devices of the pool that is there.
        for (name, uuid) in [("there-pool", "new"), ("there-thin", "new"), ("new", "thin"), ("new", "new")] {
            try sweep {
                _ = try ThinPool.activate(
                    control, name: fixture.name(name), uuid: DeviceUUID(fixture.prefix + uuid), target: target,
                    length: length)
            } undo: {
                _ = try? control.removeDevice(.name(fixture.name("new")))
            } verify: {
                try isKept(before, "pool \(name), \(uuid): \($0)")
            }
            try isKept(before, "pool \(name), \(uuid)")
        }
        for (id, name, uuid) in [
            (two, "new", "new"), (one, "there-thin", "new"), (one, "new", "thin"), (one, "new", "new"),
        ] {
            try sweep {
                _ = try pool.activate(
                    id, name: fixture.name(name), uuid: DeviceUUID(fixture.prefix + uuid), length: 2048)
            } undo: {
                _ = try? control.removeDevice(.name(fixture.name("new")))
            } verify: {
                try isKept(before, "thin \(id), \(name), \(uuid): \($0)")
            }
        }
        try sweep {
            try pool.createSnapshot(two, of: one, active: .number(thin.number))
        } undo: {
            // It was made although the answer was lost, or not at all.
            _ = try? pool.deleteDevice(two)
        } verify: {
            try isKept(before, "snapshot: \($0)")
        }
        #expect(transport.commands.suffix(20).contains(.targetMessage))
        try sweep {
            try pool.setErrorIfNoSpace(true)
        } undo: {
            try pool.setErrorIfNoSpace(false)
            try isKept(before)
        } verify: { what in
            let after = try seen(fixture.prefix + "there").filter { $0.name.hasSuffix("thin") }
            #expect(after == before.filter { $0.name.hasSuffix("thin") }, "\(what)")
            #expect(try !control.information(on: .number(device.number)).isSuspended, "\(what)")
        }
    }

    /// A pool of LVM's: its activation, its deactivation and its growth.
    @Test func logicalVolumes() throws {
        let disk = try fixture.disk("disk", size: 512 << 20)
        let group = "test\(UInt32.random(in: 0 ... .max))"
        let volume = ThinPoolVolume(group: group, name: "pool")
        try LVMFolder.use()
        try volume.create(
            on: "/dev/loop\(disk.minor)", overwrites: false,
            layout: ThinPoolLayout(
                dataPercent: 50, metadataPercent: 1, autoextend: AutoextendSettings(threshold: 80, percent: 20)))
        // It has the name of a device of the pool's, but it is somebody else's.
        let impostor = try control.activateDevice(
            DeviceName("\(group)-pool_tdata"), uuid: nil, table: MappingTable(parsing: "0 10 zero"))
        let foreign = try seen(group)
        #expect(throws: (any Error).self) { try volume.activate(control) }
        try volume.deactivate(control)
        #expect(try seen(group) == foreign)
        try control.removeDevice(.number(impostor.number))

        try sweep {
            try volume.activate(control)
        } undo: {
            try volume.deactivate(control)
            #expect(try seen(group).isEmpty)
        } verify: { what in
            // A remaining device has no table, because the answer to its creation was lost; it is used the next time.
            #expect(try seen(group).allSatisfy { $0.table.isEmpty && $0.inactive == "-" }, "\(what)")
            try volume.activate(control)
        }
        try volume.activate(control)
        let before = try seen(group)
        let thin = try #require(try volume.deviceIfActive(control))
        try control.sendMessage("create_thin 1", to: .number(thin.number))
        let open = try fixture.device("there", "0 2048 thin \(thin.number) 1")
        #expect(throws: LogicalVolumeError.self) { try volume.deactivate(control) }
        #expect(try seen(group) == before)
        try sweep {
            try volume.activate(control)
        } undo: {
        } verify: {
            let after = try seen(group)
            #expect(after == before, "\($0)")
        }
        // The group is longer after the first try, and the devices after the last one.
        try sweep {
            try volume.extend(by: ThinPoolGrowth(data: .everythingFree), control)
        } undo: {
        } verify: { what in
            let after = try seen(group)
            #expect(after.map(\.name) == before.map(\.name) && after.map(\.number) == before.map(\.number), "\(what)")
            try volume.activate(control)
            #expect(try seen(group).allSatisfy { !$0.isSuspended && $0.inactive == "-" }, "\(what)")
        }
        try control.removeDevice(.number(open.number))
        try volume.deactivate(control)
    }

    /// A loop device that is there keeps its file, whatever is tried with it or beside it.
    @Test(arguments: [LoopDevice.Interface.configure, .setDescriptor])
    func loopDevices(interface: LoopDevice.Interface) throws {
        let (file, other) = (fixture.scratch.appending("file"), fixture.scratch.appending("other"))
        try Shell.run("truncate --size=1M '\(file)' '\(other)' && mkdir '\(fixture.scratch.path)/directory'")
        // One that goes with its last user, and one that stays until it is told to go.
        let loop = try LoopDevice.attach(file, options: .init(), interface: interface)
        defer { loop.close() }
        let kept = try Shell.run("losetup --find --show '\(other)'")
        defer { _ = try? Shell.run("losetup --detach \(kept)") }
        let before = try Shell.run("losetup --list --noheadings --raw")
        func attempt(_ what: String, _ body: () throws -> Void) throws {
            #expect(throws: BlockDeviceError.self, "\(what)") { try body() }
            #expect(try Shell.run("losetup --list --noheadings --raw") == before, "\(what)")
        }
        let unfit = [fixture.scratch.appending("missing"), fixture.scratch.appending("directory"), "/dev/null"]
        for path in [file, other] + unfit {
            try attempt("attach \(path)") {
                try LoopDevice.attach(path, options: .init(), interface: interface).close()
            }
        }
        try attempt("open another device") { try LoopDevice(number: try #require(DeviceNumber("1:3"))).close() }
        // A process that only looks at a device leaves it as it is.
        try LoopDevice(number: loop.number).close()
        for found in try LoopDevice.attached(to: other) { found.close() }
        #expect(try Shell.run("losetup --list --noheadings --raw") == before)
    }
}
