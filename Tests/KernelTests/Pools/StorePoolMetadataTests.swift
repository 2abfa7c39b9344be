import LayerStore
import TestSupport
import Testing

/// `metadata` without a source: the store's own pool, while it works and when it is down.
@Suite(.serialized) struct StorePoolMetadataTests {
    private let fixture: StoreFixture

    init() throws {
        fixture = try StoreFixture()
        try fixture.store.create(LayerID("parent"))
        try fixture.store.write("x", to: "file", in: LayerID("parent"))
        try fixture.store.create(LayerID("child"), parent: LayerID("parent"))
        let path = try fixture.store.mount(LayerID("child"))
        try Shell.run("head -c 3M /dev/urandom > '\(path)/large'; sync -f '\(path)'")
    }

    private func heldRoot() throws -> String {
        try Shell.run("dmsetup status '\(fixture.store.status().poolName)' | cut -d ' ' -f 7")
    }

    @Test func readsThePoolWhileItWorksAndWhenItIsDown() throws {
        let (status, output) = try fixture.run("metadata check")
        #expect(status == 0, "\(output)")
        #expect(output.contains("3 thin devices") && output.contains("nothing is wrong"), "\(output)")
        #expect(output.contains("has no reference counts"), "\(output)")
        #expect(try heldRoot() == "-")
        let list = try fixture.run("metadata list").output
        #expect(list.contains("LAYER") && list.contains("  parent") && list.contains("  child"), "\(list)")
        #expect(try heldRoot() == "-")
        let delta = try fixture.run("metadata delta 2 3").output
        #expect(delta.contains("<diff left=\"2\" right=\"3\">"), "\(delta)")

        try fixture.store.shutdown()
        #expect(try fixture.run("metadata list").output == list)
        #expect(try fixture.devices().isEmpty)
        // The exclusive blocks of each device, as thin_ls counts them.
        let peer = try Shell.run(
            "thin_ls --no-headers -o DEV,EXCLUSIVE_BLOCKS '\(fixture.root)/devicemapper/metadata' | awk '{ print $1, $2 * 65536 }'"
        )
        let ours = try Shell.run(
            "'\(DMLayerCommand.path)' --root '\(fixture.root)' --json metadata list | jq -r '.[] | \"\\(.device) \\(.exclusive)\"'"
        )
        #expect(ours == peer)
        try fixture.finish()
    }

    /// The expected numbers of blocks, counted in the XML of `thin_dump`.
    private struct Expected {
        var exclusive: [String: UInt64] = [:]
        var mapped: [String: UInt64] = [:]
        var used: UInt64 = 0

        init(_ fixture: StoreFixture) throws {
            let mappings = try Shell.run(
                "thin_dump '\(fixture.root)/devicemapper/metadata' | awk -F '\"' '/<device/ { d = $2 } "
                    + "/<single_mapping/ { print d, $4 } /<range_mapping/ { for (i = 0; i < $6; i++) print d, $4 + i }'"
            )
            var owners: [String: [String]] = [:]
            for line in mappings.split(separator: "\n") {
                let fields = line.split(separator: " ").map(String.init)
                owners[fields[1], default: []].append(fields[0])
                mapped[fields[0], default: 0] += 65536
            }
            for devices in owners.values where devices.count == 1 { exclusive[devices[0], default: 0] += 65536 }
            used = UInt64(owners.count) * 65536
        }
    }

    @Test func saysWhoHasTheSpaceOfThePool() throws {
        let root = fixture.root
        func json(_ command: String, _ filter: String) throws -> [String] {
            try Shell.run("'\(DMLayerCommand.path)' --root '\(root)' --json \(command) | jq -r '\(filter)'")
                .split(separator: "\n").map(String.init)
        }
        let space = "\"\\(.device_id) \\(.space.mapped) \\(.space.exclusive)\""
        let live = try json("list --space", ".[] | \(space)")
        #expect(try heldRoot() == "-")
        let (status, mapText) = try fixture.run("pool map")
        #expect(status == 0 && mapText.contains("a  child"), "\(mapText)")
        let big = try fixture.run("why-big").output
        #expect(
            big.contains("the removal of a layer frees:") && !big.contains("thin devices that are no layers"), "\(big)")
        let child = try fixture.run("why-big child").output
        #expect(child.contains("are shared with other layers:") && child.contains("  parent"), "\(child)")
        #expect(child.contains("its files use"), "\(child)")
        #expect(try fixture.run("inspect child --space").output.contains("Exclusive:"))
        #expect(try fixture.run("tree --space").output.contains("└─ child: "))
        #expect(try heldRoot() == "-")

        try fixture.store.shutdown()
        let expected = try Expected(fixture)
        let down = try json("list --space", ".[] | \(space)")
        #expect(down == live)
        #expect(down.count == 3)
        for line in down {
            let fields = line.split(separator: " ").map(String.init)
            #expect(UInt64(fields[1]) == expected.mapped[fields[0]] ?? 0, "\(line)")
            #expect(UInt64(fields[2]) == expected.exclusive[fields[0]] ?? 0, "\(line)")
        }
        #expect(try json("why-big", ".used") == ["\(expected.used)"])
        #expect(try json("pool map", "[.parts[] | .end - .begin] | add") == json("pool map", ".size"))
        #expect(try json("pool map", "[.parts[] | .end - .begin - .free] | add") == ["\(expected.used)"])
        let exclusive = expected.exclusive.values.reduce(0, +)
        #expect(try json("pool map", "[.parts[].exclusive[]] | add") == ["\(exclusive)"])
        #expect(try json("pool map", ".shared") == ["\(expected.used - exclusive)"])
        #expect(try fixture.run("pool map --svg").output.hasPrefix("<svg "))
        #expect(try fixture.devices().isEmpty)
        try fixture.finish()
    }

    /// Each block of metadata that has no older state of the pool is lost in turn.
    @Test func namesTheLayersThatADamageHits() throws {
        let (root, store) = (fixture.root, fixture.store)
        try store.shutdown()
        let metadata = "\(root)/restored"
        try Shell.run(
            "truncate -s 4M '\(metadata)'; thin_dump '\(root)/devicemapper/metadata' > '\(root)/document'; "
                + "thin_restore -i '\(root)/document' -o '\(metadata)' >/dev/null")
        let copy = "\(root)/copy", output = "\(root)/repaired"
        var (checked, repaired) = (false, false)
        for block in 1..<40 where !(checked && repaired) {
            try Shell.run(
                "cp --sparse=always '\(metadata)' '\(copy)'; truncate -s 0 '\(output)'; truncate -s 4M '\(output)'; "
                    + "dd if=/dev/zero of='\(copy)' bs=4096 seek=\(block) count=1 conv=notrunc 2>/dev/null")
            let check = try fixture.run("metadata check '\(copy)'")
            checked = checked || check.status == 2 && check.output.contains("(child)")
            guard check.status == 2 else { continue }
            let repair = try fixture.run("metadata repair --input '\(copy)' --output '\(output)' --force")
            repaired =
                repaired || repair.output.contains("thin device 3 (child): ") && repair.output.contains("are lost")
        }
        #expect(checked && repaired)
        try Shell.run("cd '\(root)' && rm copy repaired restored document")
        try fixture.finish()
    }

    /// A snapshot that another program holds is not taken from it.
    @Test func leavesASnapshotOfAnotherProgramAlone() throws {
        let name = try fixture.store.status().poolName
        try Shell.run("dmsetup message '\(name)' 0 reserve_metadata_snap")
        let held = try heldRoot()
        let (status, output) = try fixture.run("metadata list")
        #expect(status == 1)
        #expect(
            output.contains("“dmlayer dm message \(name) 0 release_metadata_snap” gives the snapshot up"), "\(output)")
        #expect(try heldRoot() == held)
        try Shell.run("dmsetup message '\(name)' 0 release_metadata_snap")
        #expect(try fixture.run("--read-only metadata list").status == 1)
        try fixture.finish()
    }
}
