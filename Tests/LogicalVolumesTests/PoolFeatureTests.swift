@testable import LogicalVolumes

import DeviceMapper
import TestSupport
import Testing

/// The features that are read from a pool's text are those that lvm2 gives the pool.
@Suite struct PoolFeatureTests {
    private static let featureTexts: [(String, String, ThinPoolTarget.Features)] = [
        ("", "", [.skipBlockZeroing]),
        ("discards = \"passdown\"", "discards = \"nopassdown\"", [.skipBlockZeroing, .noDiscardPassdown]),
        ("discards = \"passdown\"", "discards = \"ignore\"", [.skipBlockZeroing, .ignoreDiscard]),
        // Before the setting existed there were no discards.
        ("discards = \"passdown\"", "", [.skipBlockZeroing, .ignoreDiscard]),
        ("discards = \"passdown\"", "discards = \"passdown\"\nzero_new_blocks = 1", []),
        ("discards = \"passdown\"", "discards = \"passdown\"\nzero_new_blocks = 0", [.skipBlockZeroing]),
        // lvm2 knows no such setting of the segment.
        ("discards = \"passdown\"", "discards = \"passdown\"\nerror_when_full = 1", [.skipBlockZeroing]),
        ("flags = [\"POOL\"]", "flags = [\"ERROR_WHEN_FULL\"]", [.skipBlockZeroing, .errorIfNoSpace]),
        (
            "flags = [\"POOL\"]", "flags = [\"ACTIVATION_SKIP\", \"ERROR_WHEN_FULL\"]",
            [.skipBlockZeroing, .errorIfNoSpace]
        ),
    ]

    @Test(arguments: featureTexts)
    func tableHasThem(_ old: String, _ new: String, _ features: ThinPoolTarget.Features) throws {
        let text = try Fixture.text("created.vg")
        let start = try #require(text.firstRange(of: "thinpool {")?.lowerBound)
        let pool = String(text[start...]).replacing("flags = []", with: "flags = [\"POOL\"]").replacing(old, with: new)
            .replacing("[\"POOL\"]", with: "[]")
        let group = try VolumeGroup(parsing: Array((String(text[..<start]) + pool).utf8))
        let disk = try Fixture.disk("created-pv0.bin.xz")
        try disk.put(group.text(description: "", host: "h", time: 1))
        let metadata = try VolumeGroupMetadata.only(on: [disk])
        let located = try LocatedThinPool(ThinPoolVolume(group: "docker", name: "thinpool"), in: metadata)
        let number = try #require(DeviceNumber("252:1"))
        let table = try located.poolTable(metadata: number, data: number)
        guard let target = table.entries.first?.target.as(ThinPoolTarget.self) else {
            Issue.record("\(table) is no pool")
            return
        }
        #expect(target.features == features)
    }

    @Test func zeroingIsChangedInTheTextAlone() throws {
        let text = try Fixture.text("created.vg")
        let group = try VolumeGroup(parsing: Array(text.utf8))
        let pool = try group.logicalVolume("thinpool")
        #expect(pool.thinPool?.zeroesNewBlocks == false)
        let zeroing = try group.setting(zeroesNewBlocks: true, of: pool)
        #expect(try zeroing.logicalVolume("thinpool").thinPool?.zeroesNewBlocks == true)
        #expect(try zeroing.setting(zeroesNewBlocks: true, of: pool).node == zeroing.node)
        #expect(try zeroing.setting(zeroesNewBlocks: false, of: pool) == group)
    }

    /// A group of this machine's is written as lvm2 writes one.
    @Test func aGroupWithASystemID() throws {
        let text = String(
            decoding: try VolumeGroup(new: "g", extentSize: Sectors(8192), systemID: "here").text(
                description: "", host: "h", time: 1), as: UTF8.self)
        #expect(text.contains(#"status = ["RESIZEABLE", "READ"]"#))
        #expect(text.contains(#"flags = ["WRITE_LOCKED"]"#))
        #expect(text.contains(#"system_id = "here""#))
        let without = String(
            decoding: try VolumeGroup(new: "g", extentSize: Sectors(8192)).text(description: "", host: "h", time: 1),
            as: UTF8.self)
        #expect(without.contains(#"status = ["RESIZEABLE", "READ", "WRITE"]"#) && !without.contains("system_id"))
    }
}
