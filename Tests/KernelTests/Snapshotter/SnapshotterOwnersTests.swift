import ContainerdSnapshotter
import LayerStore
import TestSupport
import Testing

/// Snapshots for containers in user namespaces.
@Suite(.serialized) struct SnapshotterOwnersTests {
    private static let labels = [
        "containerd.io/snapshot/uidmapping": "0:100000:65536", "containerd.io/snapshot/gidmapping": "0:200000:65536",
    ]
    private static let options = ["uidmap=0:100000:65536", "gidmap=0:200000:65536"]

    /// Makes a committed snapshot with a file that root has, and one whose owners containerd has changed.
    private func makeImages(_ fixture: SnapshotterFixture) throws {
        let snapshotter = fixture.snapshotter
        let mounts = try snapshotter.prepare("work", parent: "", kind: .active, labels: [:])
        try fixture.mounted(mounts) { try Shell.run("touch '\($0)/file'") }
        try snapshotter.commit("work", as: "image", labels: [:])
        let changed = try snapshotter.prepare("image-remap", parent: "image", kind: .active, labels: [:])
        try fixture.mounted(changed) { try Shell.run("chown --recursive 100000:200000 '\($0)'") }
        try snapshotter.commit("image-remap", as: "changed", labels: [:])
    }

    @Test(arguments: ["ext4", "xfs"]) func mapsTheOwnersWhereContainerdAndTheKernelCan(filesystem: String) throws {
        let fixture = try SnapshotterFixture(["dm.fs=\(filesystem)"], mapsOwners: true)
        let snapshotter = fixture.snapshotter
        try makeImages(fixture)
        guard !KernelRelease.isLinux5 else {
            let error = fixture.expect(.failedPrecondition) {
                try snapshotter.prepare("container", parent: "image", kind: .active, labels: Self.labels)
            }
            #expect(error?.description.contains("since Linux 5.12, and this is 5.10.") == true)
            fixture.expect(.notFound) { try snapshotter.stat("container") }
            return try fixture.finish()
        }
        let plain = try snapshotter.prepare("plain", parent: "image", kind: .active, labels: [:])
        for (key, parent) in [("container", "image"), ("empty", "")] {
            let mounts = try snapshotter.prepare(key, parent: parent, kind: .active, labels: Self.labels)
            #expect(mounts.map(\.options) == [plain[0].options + Self.options])
            #expect(try snapshotter.mounts(key) == mounts)
        }
        let view = try snapshotter.prepare("view", parent: "image", kind: .view, labels: Self.labels)
        #expect(view[0].options == ["ro"] + plain[0].options + Self.options)
        // A snapshot that is committed from the container is an image again.
        try snapshotter.commit("container", as: "made", labels: [:])
        let next = try snapshotter.prepare("next", parent: "made", kind: .active, labels: [:])
        #expect(next[0].options == plain[0].options)
        try fixture.finish()
    }

    /// The options stand in the layer's file: they do not depend on labels that are changed, nor on this process.
    @Test func rememberTheMapping() throws {
        guard !KernelRelease.isLinux5 else { return }
        let fixture = try SnapshotterFixture([], mapsOwners: true)
        try makeImages(fixture)
        let mounts = try fixture.snapshotter.prepare("container", parent: "image", kind: .active, labels: Self.labels)
        _ = try fixture.snapshotter.update("container", labels: [:], paths: [])
        #expect(try fixture.snapshotter.mounts("container") == mounts)
        let records = try fixture.store.layers().compactMap { listing in
            if case .layer(_, let record) = listing { record.snapshot } else { nil }
        }
        #expect(records.filter { $0.key == "container" }.map(\.mountOptions) == [Self.options])
        try fixture.finish()
    }

    @Test func refusesAMappingThatNobodyMakes() throws {
        let fixture = try SnapshotterFixture()
        let snapshotter = fixture.snapshotter
        try makeImages(fixture)
        for parent in ["image", ""] {
            let error = fixture.expect(.failedPrecondition) {
                try snapshotter.prepare("container", parent: parent, kind: .active, labels: Self.labels)
            }
            #expect(error?.description.contains("--remap-") == true)
        }
        fixture.expect(.notFound) { try snapshotter.stat("container") }
        var labels = Self.labels
        labels["containerd.io/snapshot/uidmapping"] = "0:1"
        fixture.expect(.invalidArgument) {
            try snapshotter.prepare("container", parent: "image", kind: .active, labels: labels)
        }
        try fixture.finish()
    }

    /// Without the capability, containerd 1.7 and 2 do it themselves and send the labels all the same.
    @Test(arguments: [false, true]) func leavesOwnersThatContainerdHasChanged(mapsOwners: Bool) throws {
        let fixture = try SnapshotterFixture([], mapsOwners: mapsOwners)
        try makeImages(fixture)
        let mounts = try fixture.snapshotter.prepare("container", parent: "changed", kind: .active, labels: Self.labels)
        #expect(mounts[0].options == [])
        let owner = try fixture.mounted(mounts) { try Shell.run("stat -c %u:%g '\($0)/file'") }
        #expect(owner.contains("100000:200000"))
        try fixture.finish()
    }
}
