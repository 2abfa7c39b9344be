import DeviceMapper
import TestSupport
import Testing

/// What dmsetup says about the same devices.
@Suite(.serialized) struct DMSetupAgreementTests {
    let fixture: DMFixture

    init() throws {
        fixture = try DMFixture()
    }

    /// Tables in which `A`, `B` and `C` stand for disks.
    static let typed = [
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

    static let untyped = ["0 1000 dust A 0 512", "0 1000 log-writes A B", "0 1000 unstriped 2 8 0 A 0"]

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
        return try fixture.device(suffix, table, uuid: fixture.prefix + suffix).name
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
    private func expectAgreement(on name: DeviceName, typed: Bool = true) throws {
        let text = try dmsetup("table --showkeys \(name)")
        let table = try fixture.control.table(of: .name(name))
        #expect(table.description == text, "\(name)")
        for entry in table.entries {
            #expect(entry.target.hasType == typed, "\(entry)")
        }
        #expect(
            withoutBlanksAtTheEnd(
                try fixture.control.status(of: .name(name)).map(\.description).joined(separator: "\n"))
                == (try dmsetup("status --noflush \(name)")))

        if text.contains("snapshot") {
            // A merge cannot be loaded twice, and a snapshot takes over the length of its chunks when it is resumed.
            return
        }
        try fixture.control.loadTable(MappingTable(parsing: text), into: .name(name))
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
        for (index, table) in Self.untyped.enumerated() {
            try expectAgreement(on: try makeDevice(table, "untyped-\(index)", disks: &disks), typed: false)
        }
    }

    @Test func readsAndWritesThinPools() throws {
        for (index, features) in Self.thinPoolFeatures.enumerated() {
            try expectAgreement(on: try fixture.pool("pool-\(index)", features: features).name)
        }
    }

    @Test func readsAndWritesAReadOnlyThinPool() throws {
        let name = try fixture.pool("pool").name
        var table = try fixture.control.table(of: .name(name))
        guard case .thinPool(var pool) = table.entries.first?.target else {
            Issue.record("\(table) is no thin pool")
            return
        }
        pool.features = .readOnly
        table.entries[0].target = .thinPool(pool)
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
        for (index, table) in (Self.typed + Self.untyped).enumerated() {
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

extension Target {
    fileprivate var hasType: Bool {
        if case .other = self { false } else { true }
    }
}
