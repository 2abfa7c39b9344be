import DeviceMapper
import TestSupport
import Testing

/// Queries that give the same answers as dmsetup about the same devices.
@Suite(.serialized) struct DMSetupAgreementTests {
    let fixture: DMFixture

    init() throws {
        fixture = try DMFixture()
    }

    /// Tables in which `A`, `B` and `C` stand for disks.
    static let typed = all.filter {
        !KernelRelease.cannotPassDiscardsToOrigins || !$0.contains("discard_passdown_origin")
    }

    private static let all = [
        "0 1000 linear A 8",
        "0 1000 linear A 8\n1000 24 zero\n1024 8 error\n1032 100 linear B 0",
        "0 2048 striped 2 128 A 0 B 2048",
        "0 100 error",
        "0 100 zero",
        "0 100 delay A 0 5",
        "0 100 delay A 0 5 B 8 10",
        "0 100 delay A 0 5 B 8 10 C 16 20",
        "0 100 flakey A 0 5 2",
        "0 100 flakey A 8 5 2 1 error_writes",
        "0 100 flakey A 8 5 2 1 drop_writes",
        "0 100 flakey A 8 5 2 5 corrupt_bio_byte 32 r 1 0",
        "0 1024 snapshot-origin A",
        "0 1024 snapshot A B P 8",
        "0 1024 snapshot A B PO 16",
        "0 1024 snapshot A B N 8",
        "0 1024 snapshot A B P 8 2 discard_zeroes_cow discard_passdown_origin",
        "0 1024 snapshot-merge A B P 8",
        "0 1000 crypt aes-xts-plain64 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f 0 A 100",
        "0 1000 crypt aes-cbc-essiv:sha256 000102030405060708090a0b0c0d0e0f 8 A 0 1 allow_discards",
        "0 1000 crypt capi:xts(aes)-plain64 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f 0 A 0 "
            + "2 sector_size:4096 iv_large_sectors",
        "0 1000 crypt cipher_null-ecb - 0 A 0",
    ]

    /// Tables of targets that not every kernel has, in which `$` stands for a digest.
    static let optional = [
        "0 1000 era A B 128",
        "0 1000 log-writes A B",
        "0 1000 unstriped 2 8 0 A 0",
        "0 1024 switch 2 16 0 A 0 B 8",
        "0 1024 ebs A 0 1",
        "0 1024 dust A 0 512",
        "0 1024 verity 1 A B 4096 4096 128 1 sha256 $ -",
        "0 1024 verity 1 A B 4096 4096 128 1 sha256 $ aabb 2 restart_on_corruption ignore_zero_blocks",
        "0 1024 integrity A 0 4 J 1 internal_hash:crc32c",
        "0 4096 cache A B C 128 1 writethrough smq 0",
        "0 4096 cache A B C 128 2 metadata2 writeback smq 2 migration_threshold 4096",
        "0 4096 writecache s A B 4096 2 high_watermark 60",
        "0 4096 clone A B C 8 1 no_hydration",
        "0 4096 clone A B C 8 1 no_hydration 2 hydration_threshold 4",
        "0 2048 raid raid1 3 0 region_size 1024 2 - A - B",
        "0 2048 mirror core 2 1024 nosync 2 A 0 B 8",
        "0 2048 mirror core 2 1024 nosync 2 A 0 B 8 1 handle_errors",
        "0 2048 multipath 0 0 1 1 service-time 0 2 2 A 1 1 B 1 2",
        "0 2048 multipath 1 queue_if_no_path 0 2 1 round-robin 0 1 1 A 1000 queue-length 0 1 1 B 1",
    ].map { $0.replacing("$", with: String(repeating: "5a", count: 32)) }

    static let statuses: [any TypedStatus.Type] = [
        StripedStatus.self, SnapshotStatus.self, DustStatus.self, LogWritesStatus.self, RaidStatus.self,
        MirrorStatus.self, MultipathStatus.self, CacheStatus.self, WriteCacheStatus.self, CloneStatus.self,
        EraStatus.self, VerityStatus.self, IntegrityStatus.self,
    ]

    /// Targets whose devices cannot serve two tables at a time, or whose kernels write another table than they were given.
    static let unique: Set = [
        "snapshot", "snapshot-merge", "snapshot-origin", "cache", "clone", "era", "integrity", "mirror", "raid",
        "writecache",
    ]

    static let thinPoolFeatures = [
        "0", "1 skip_block_zeroing", "1 error_if_no_space", "1 no_discard_passdown", "1 ignore_discard",
        "3 skip_block_zeroing no_discard_passdown error_if_no_space", "2 ignore_discard error_if_no_space",
    ]

    /// Makes a device of a table whose letters become disks: those in `disks`, or new ones.
    private func makeDevice(
        _ template: String, _ suffix: String, disks: inout [String: DeviceNumber]
    ) throws -> DeviceName {
        var table = template
        for letter in ["A", "B", "C"] where table.contains(" \(letter)") {
            // A snapshot shares its exception store with nobody.
            let file = template.contains("snapshot") ? "\(suffix)-\(letter)" : letter
            let disk = try disks[file] ?? fixture.disk(file)
            disks[file] = disk
            table = table.replacing(" \(letter)", with: " \(disk)")
        }
        // A device that verity checks cannot be written.
        return try fixture.device(
            suffix, table, uuid: fixture.prefix + suffix, isReadOnly: table.contains("verity")
        ).name
    }

    /// dmsetup's words, without the blanks that some targets print at the end of a line, and without its complaint that
    /// a device without a table has no node.
    private func dmsetup(_ command: String) throws -> String {
        withoutBlanksAtTheEnd(try Shell.run("dmsetup \(command) 2>/dev/null"))
    }

    private func withoutBlanksAtTheEnd(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            var line = line
            while line.last == " " { line.removeLast() }
            return String(line)
        }.joined(separator: "\n")
    }

    /// Expects that `dmlayer dm` prints what dmsetup prints.
    private func expectSame(_ ours: String, _ theirs: String) throws {
        let difference = withoutBlanksAtTheEnd(try DMLayerCommand.run("dm \(ours)")).split(separator: "\n")
            .difference(from: try dmsetup(theirs).split(separator: "\n"))
        #expect(difference.isEmpty, "\(ours): \(difference.map { $0 })")
    }

    /// Expects that the table is read as it is, is written as the kernel writes it, and is taken again as the same.
    private func expectAgreement(on name: DeviceName) throws {
        let text = try dmsetup("table --showkeys \(name)")
        let table = try fixture.control.table(of: .name(name))
        #expect(table.description == text, "\(name)")
        for entry in table.entries {
            // The kernel prints a second blank for what multipath has none of.
            let typed = try #require(entry.target.typed, "\(entry)")
            #expect(typed.parameters.split(separator: " ") == entry.target.parameters.split(separator: " "))
        }
        let lines = try fixture.control.status(of: .name(name))
        #expect(
            withoutBlanksAtTheEnd(lines.map(\.description).joined(separator: "\n"))
                == (try dmsetup("status --noflush \(name)")))
        for line in lines {
            guard let type = Self.statuses.first(where: { $0.types.contains(line.type) }) else { continue }
            #expect(line.status(as: type) != nil, "\(line)")
        }

        if table.entries.contains(where: { Self.unique.contains($0.target.type) }) { return }
        try fixture.control.loadTable(MappingTable(parsing: text, isReadOnly: table.isReadOnly), into: .name(name))
        #expect(try dmsetup("table --showkeys --inactive \(name)") == text)
        #expect(try fixture.control.table(of: .name(name), inactive: true) == table)
        try fixture.control.resumeDevice(.name(name))
        #expect(try dmsetup("table --showkeys \(name)") == text)
    }

    // One fixture for all tables: to make and remove it takes far longer than to look at a table.
    @Test func readsAndWritesEveryTargetAsTheKernelDoes() throws {
        var disks: [String: DeviceNumber] = [:]
        for (index, table) in Self.typed.enumerated() {
            try expectAgreement(on: try makeDevice(table, "\(index)", disks: &disks))
        }
    }

    /// Each with disks of its own: most write metadata on them.
    @Test(arguments: optional) func readsAndWritesTargetsThatTheKernelMayHave(table: String) throws {
        let type = try #require(TableEntry(table)).target.type
        // A kernel without the target has nothing to compare with; `TargetTests` reads such lines as text. One that has it as a
        // module loads that now.
        guard (try? fixture.control.targetVersion(of: type)) != nil else { return }
        var disks: [String: DeviceNumber] = [:]
        try expectAgreement(on: try makeDevice(table, "device", disks: &disks))
    }

    @Test func readsAndWritesThinPools() throws {
        for (index, features) in Self.thinPoolFeatures.enumerated() {
            try expectAgreement(on: try fixture.pool("pool-\(index)", features: features).name)
        }
    }

    @Test func readsAndWritesAReadOnlyThinPool() throws {
        let name = try fixture.pool("pool").name
        var table = try fixture.control.table(of: .name(name))
        guard var pool = table.entries.first?.target.as(ThinPoolTarget.self) else {
            Issue.record("\(table) is no thin pool")
            return
        }
        pool.features = .readOnly
        table.entries[0].target = Target(pool)
        try fixture.control.replaceTable(of: .name(name), with: table, options: .noFlush)
        #expect(try dmsetup("status \(name)").contains(" ro "))
        try expectAgreement(on: name)
    }

    @Test func readsAndWritesThinDevices() throws {
        let pool = try fixture.pool("pool")
        try fixture.control.sendMessage("create_thin 0", to: .name(pool.name))
        try fixture.control.sendMessage("create_thin 16777215", to: .name(pool.name))
        let thin = try fixture.device("thin", "0 2048 thin \(pool.number) 0")
        let clone = try fixture.device("clone", "0 2048 thin \(pool.number) 16777215 \(try fixture.disk("origin"))")
        try Shell.run("dd if=/dev/zero of=/dev/dm-\(thin.number.minor) bs=4096 count=1 oflag=direct")
        // The pool would write its metadata within a second, and its figures would change between two looks at them.
        _ = try fixture.control.status(of: .name(pool.name), flushing: true)
        for name in [pool.name, thin.name, clone.name] { try expectAgreement(on: name) }
        #expect(try fixture.control.status(of: .name(thin.name)).map(\.text) == ["128 127"])
    }

    @Test func printsWhatDMSetupPrints() throws {
        var disks: [String: DeviceNumber] = [:]
        for (index, table) in Self.typed.enumerated() {
            _ = try makeDevice(table, "\(index)", disks: &disks)
        }
        let pool = try fixture.pool("pool")
        try fixture.control.sendMessage("create_thin 0", to: .name(pool.name))
        try fixture.device("thin", "0 2048 thin \(pool.number) 0")
        try fixture.control.createDevice(fixture.name("without-a-table"))
        let disk = try fixture.disk("disk")
        try Shell.run("dmsetup create \(fixture.prefix)ro --readonly --table '0 10 linear \(disk) 0'")
        try Shell.run("dmsetup create \(fixture.prefix)twice --table '0 10 zero'")
        try Shell.run("dmsetup load \(fixture.prefix)twice --table '0 10 linear \(disk) 0'")
        try Shell.run("dmsetup suspend \(fixture.prefix)twice")

        for command in ["ls", "table --inactive", "deps", "deps --inactive", "targets"] {
            #expect(
                withoutBlanksAtTheEnd(try DMLayerCommand.run("dm \(command)")) == (try dmsetup(command)), "\(command)")
        }
        try expectSame("table --show-keys", "table --showkeys")
        // dmsetup takes the sign for “no key” for a key.
        #expect(
            withoutBlanksAtTheEnd(try DMLayerCommand.run("dm table"))
                == (try dmsetup("table")).replacing("cipher_null-ecb 0", with: "cipher_null-ecb -"))
        try expectSame("status", "status --noflush")
        #expect(try Shell.run("dmsetup version").contains(DMLayerCommand.run("dm version")))

        // Without a name in front where only one device is meant.
        for command in ["table", "status", "deps"] {
            for device in ["1", "without-a-table"] {
                try expectSame("\(command) \(fixture.prefix)\(device)", "\(command) \(fixture.prefix)\(device)")
            }
        }
        // Without a table a device has a read-ahead, but not everywhere in sysfs.
        try fixture.control.removeDevice(.name(fixture.name("without-a-table")))
        try expectSame("info", "info")
        try expectSame("info \(fixture.prefix)1", "info \(fixture.prefix)1")
    }
}
