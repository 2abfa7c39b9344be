import ContainerdSnapshotter
import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

/// Commits of snapshots whose pool was full, and is well again.
@Suite(.serialized) struct SnapshotterLossTests {
    private static let timeout = "/sys/module/dm_thin_pool/parameters/no_space_timeout"

    /// Writes more than the pool has, unmounts, and enlarges the pool.
    private func overfill(_ fixture: SnapshotterFixture, _ mounts: [SnapshotMount]) throws {
        try fixture.mounted(mounts) { path in
            try Shell.run("dd if=/dev/zero of='\(path)/file' bs=1M count=160 2>/dev/null; sync -f '\(path)' || true")
        }
        #expect(try fixture.base.run("pool resize 400m").status == 0)
        #expect(try fixture.store.poolReport().condition == .readWrite)
    }

    @Test(arguments: ["ext4", "xfs"], [false, true])
    func refusesWhatMayHaveLostWrites(filesystem: String, isRestarted: Bool) throws {
        let fixture = try SnapshotterFixture([
            "dm.loopdatasize=128m", "dm.fs=\(filesystem)", "dm.error_if_no_space=true",
        ])
        let snapshotter = fixture.snapshotter
        let mounts = try snapshotter.prepare("active", parent: "", kind: .active, labels: [:])
        try overfill(fixture, mounts)
        if isRestarted { try fixture.store.shutdown() }
        let error = fixture.expect(.failedPrecondition) { try snapshotter.commit("active", as: "new", labels: [:]) }
        #expect(error?.description.contains("may be lost") == true, "\(error?.description ?? "")")
        // A snapshot that is made after that can be committed, and costs no more than before.
        try snapshotter.remove("active")
        _ = try snapshotter.prepare("again", parent: "", kind: .active, labels: [:])
        try snapshotter.commit("again", as: "new", labels: [:])
        try fixture.finish()
    }

    /// A writer that waited until the full pool was enlarged has lost nothing, so its snapshot can be committed.
    @Test func commitsWhatOnlyWaited() throws {
        try Shell.run("echo 0 > \(Self.timeout)")
        defer { _ = try? Shell.run("echo 60 > \(Self.timeout)") }
        let fixture = try SnapshotterFixture(["dm.loopdatasize=128m"])
        let mounts = try fixture.snapshotter.prepare("active", parent: "", kind: .active, labels: [:])
        try fixture.mounted(mounts) { path in
            try Shell.run(
                """
                (dd if=/dev/urandom of='\(path)/file' bs=1M count=160 conv=fsync 2>/dev/null; echo $? > '\(path)/status') \
                >/dev/null 2>&1 &
                for i in $(seq 300); do
                    '\(DMLayerCommand.path)' --root '\(fixture.base.root)' --json pool status | grep -q out_of_data_space && break
                    sleep 0.1
                done
                '\(DMLayerCommand.path)' --root '\(fixture.base.root)' pool resize 400m
                for i in $(seq 300); do [ -s '\(path)/status' ] && break; sleep 0.1; done; [ $(cat '\(path)/status') = 0 ]
                """)
        }
        try fixture.snapshotter.commit("active", as: "new", labels: [:])
        try fixture.finish()
    }
}
