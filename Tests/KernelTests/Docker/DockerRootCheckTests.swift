import LayerStore
import TestSupport
import Testing

/// `check` on a root that Docker made.
@Suite(.serialized) struct DockerRootCheckTests {
    @Test func findsNothingInWhatDockerLeft() throws {
        let fixture = try DockerRootFixture(hasContent: true)
        let before = try fixture.metadataDigest()
        let report = try LayerStore.check(fixture.root)
        #expect(report.findings == [])
        #expect(report.layerCount == DockerRootFixture.deviceCount)
        #expect(report.thinDeviceCount == DockerRootFixture.deviceCount)
        #expect(!report.isPoolActive)
        #expect(try fixture.metadataDigest() == before)
        #expect(try Shell.run("ls '\(fixture.root)'").contains("lock") == false)
        // Also while it is active, and after a repair that had nothing to do.
        try fixture.run("info")
        #expect(try LayerStore.check(fixture.root).findings == [])
        try fixture.shutDown()
        #expect(try LayerStore.repair(fixture.root).findings == [])
        #expect(try fixture.metadataDigest() == before)
    }

    @Test func namesWhatDockerWasInterruptedAt() throws {
        let fixture = try DockerRootFixture(hasContent: true)
        let fresh = DockerRootFixture.freshDeviceID
        try fixture.sendPool("create_snap \(fresh) 41", "create_snap \(fresh + 1) 41")
        try fixture.writeTransaction(
            open: DockerRootFixture.transactionID + 1, layer: "interrupted", device: fresh)
        try fixture.writeRecord("deleted", device: fresh + 2, isDeleted: true)
        let report = try LayerStore.check(fixture.root)
        #expect(
            report.findings.map { "\($0.severity) \($0.kind.rawValue) \($0.subject)" } == [
                "warning orphan_device \(fresh + 1)", "warning transaction transaction-metadata",
                "information removal deleted",
            ])
        let repaired = try LayerStore.repair(fixture.root)
        #expect(repaired.findings == [])
        #expect(repaired.repaired.count == 3)
        #expect(try fixture.thinDevices().count == DockerRootFixture.deviceCount)
    }

    /// Docker's daemon runs: nothing may be done, and looking does no harm.
    @Test func refusesToRepairWhatDockerUses() throws {
        let fixture = try DockerRootFixture(hasContent: false)
        let pool = try fixture.devicePrefix() + "pool"
        try Shell.run(
            """
            cd '\(fixture.root)/devicemapper'
            data=$(losetup --find --show data) metadata=$(losetup --find --show metadata)
            dmsetup create '\(pool)' --table "0 4194304 thin-pool $metadata $data 128 32768 1 skip_block_zeroing"
            losetup --detach $data $metadata # as soon as the pool is gone
            """)
        defer { _ = try? Shell.run("dmsetup remove '\(pool)'") }
        let report = try LayerStore.repair(fixture.root)
        #expect(report.findings.contains { $0.kind == .pool && $0.message.contains("Docker or somebody else made it") })
        #expect(report.failures.contains { $0.contains("Docker or somebody else made it") })
        #expect(report.thinDeviceCount == DockerRootFixture.deviceCount)
        #expect(report.isPoolActive)
    }
}
