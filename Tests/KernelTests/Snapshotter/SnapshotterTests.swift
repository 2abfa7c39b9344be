import ContainerdSnapshotter
import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// The behaviour that containerd expects of a snapshotter, call by call.
@Suite(.serialized) struct SnapshotterTests {
    @Test(arguments: ["ext4", "xfs"]) func makesSnapshotsFromNothingAndFromOthers(filesystem: String) throws {
        let fixture = try SnapshotterFixture(["dm.fs=\(filesystem)"])
        let snapshotter = fixture.snapshotter
        let mounts = try snapshotter.prepare("k/1 first", parent: "", kind: .active, labels: ["a": "1", "empty": ""])
        #expect(mounts.map(\.type) == [filesystem])
        #expect(mounts.map(\.options) == [filesystem == "xfs" ? ["nouuid"] : []])
        // The device is there when the call returns.
        try Shell.run("test -b \(mounts[0].source)")
        #expect(try snapshotter.mounts("k/1 first") == mounts)
        #expect(try fixture.mounted(mounts) { try Shell.run("ls -A '\($0)'; echo kept > '\($0)/file'") } == "")
        let made = try snapshotter.stat("k/1 first")
        #expect(made.kind == .active && made.parent == "" && made.labels == ["a": "1"] && made.created == made.updated)

        try snapshotter.commit("k/1 first", as: "k/2 layer", labels: ["b": "2"])
        let view = try snapshotter.prepare("view", parent: "k/2 layer", kind: .view, labels: [:])
        let active = try snapshotter.prepare("active", parent: "k/2 layer", kind: .active, labels: [:])
        #expect(view[0].options.first == "ro")
        #expect(try snapshotter.stat("view").kind == .view)
        #expect(try snapshotter.stat("active").parent == "k/2 layer")
        // Both at once: XFS does not mount two file systems with one UUID by itself.
        try fixture.mounted(view) { path in
            #expect(try Shell.run("cat '\(path)/file'") == "kept")
            #expect(try Shell.runForStatus("touch '\(path)/file'").status != 0)
            try fixture.mounted(active) { try Shell.run("cat '\($0)/file' && echo changed > '\($0)/file'") }
            #expect(try Shell.run("cat '\(path)/file'") == "kept")
        }
        try fixture.finish()
    }

    @Test func refusesToMake() throws {
        let fixture = try SnapshotterFixture()
        let snapshotter = fixture.snapshotter
        _ = try snapshotter.prepare("active", parent: "", kind: .active, labels: [:])
        _ = try snapshotter.prepare("view", parent: "", kind: .view, labels: [:])
        try fixture.commit("layer")
        for key in ["active", "view", "layer"] {
            for kind in [Snapshot.Kind.active, .view] {
                fixture.expect(.alreadyExists) { try snapshotter.prepare(key, parent: "", kind: kind, labels: [:]) }
            }
        }
        fixture.expect(.notFound) { try snapshotter.prepare("new", parent: "none", kind: .active, labels: [:]) }
        for parent in ["active", "view"] {
            fixture.expect(.invalidArgument) {
                try snapshotter.prepare("new", parent: parent, kind: .view, labels: [:])
            }
        }
        fixture.expect(.invalidArgument) { try snapshotter.prepare("", parent: "", kind: .active, labels: [:]) }
        #expect(try snapshotter.list().map(\.key) == ["active", "layer", "view"])
        try fixture.finish()
    }

    /// The command lists them beside the snapshotter, which has the store.
    @Test func areListedWithTheirLayers() throws {
        let fixture = try SnapshotterFixture()
        try fixture.commit("lower")
        _ = try fixture.snapshotter.prepare("k/1 active", parent: "lower", kind: .active, labels: [:])
        try fixture.store.create(LayerID("own"))
        let command = "'\(DMLayerCommand.path)' --root '\(fixture.base.root)'"
        let (active, lower) = (try fixture.layer("k/1 active"), try fixture.layer("lower"))
        let lines = try Shell.run("\(command) snapshot list").split(separator: "\n")
        #expect(lines.first?.split(separator: " ").joined(separator: " ") == "KEY KIND LAYER DEVICE ID BYTES PARENT")
        #expect(lines.dropFirst().map { $0.hasPrefix("k/1 active  active     \(active)  ") } == [true, false])
        #expect(lines.dropFirst().map { $0.hasPrefix("lower       committed  \(lower)  ") } == [false, true])
        #expect(lines.dropFirst().map { $0.hasSuffix("  lower") } == [true, false])
        #expect(try Shell.run("\(command) snapshot list -q") == "k/1 active\nlower")
        #expect(
            try Shell.run(
                "\(command) --json snapshot list | jq -r '.[] | [.id, .snapshot.key, .snapshot.parent] | join(\"|\")'")
                == "\(active)|k/1 active|lower\n\(lower)|lower|")
        try fixture.store.remove(LayerID("own"))
        try fixture.finish()
    }

    @Test func answersMounts() throws {
        let fixture = try SnapshotterFixture()
        try fixture.commit("layer")
        fixture.expect(.failedPrecondition) { try fixture.snapshotter.mounts("layer") }
        fixture.expect(.notFound) { try fixture.snapshotter.mounts("none") }
        try fixture.finish()
    }

    @Test func commits() throws {
        let fixture = try SnapshotterFixture()
        let snapshotter = fixture.snapshotter
        let mounts = try snapshotter.prepare("active", parent: "", kind: .active, labels: ["from": "key"])
        let before = try snapshotter.stat("active")
        _ = try snapshotter.prepare("view", parent: "", kind: .view, labels: [:])
        try fixture.commit("taken")
        fixture.expect(.notFound) { try snapshotter.commit("none", as: "new", labels: [:]) }
        fixture.expect(.failedPrecondition) { try snapshotter.commit("view", as: "new", labels: [:]) }
        fixture.expect(.failedPrecondition) { try snapshotter.commit("taken", as: "new", labels: [:]) }
        for name in ["taken", "view", "active"] {
            fixture.expect(.alreadyExists) { try snapshotter.commit("active", as: name, labels: [:]) }
        }
        fixture.expect(.invalidArgument) {
            try snapshotter.commit("active", as: "new", parent: "taken", labels: [:])
        }
        fixture.expect(.invalidArgument) { try snapshotter.commit("active", as: "", labels: [:]) }
        #expect(try snapshotter.stat("active") == before)

        // While it is mounted, with what is not on the disk yet.
        try fixture.mounted(mounts) { path in
            try Shell.run("echo content > '\(path)/file'")
            try snapshotter.commit("active", as: "new", labels: ["b": "2"])
            fixture.expect(.notFound) { try snapshotter.stat("active") }
            // A process that has the snapshot mounted goes on.
            try Shell.run("timeout 20 touch '\(path)/later'; sync -f '\(path)'")
            let child = try snapshotter.prepare("child", parent: "new", kind: .view, labels: [:])
            #expect(try fixture.mounted(child) { try Shell.run("cat '\($0)/file'") } == "content")
        }
        let committed = try snapshotter.stat("new")
        #expect(committed.kind == .committed && committed.labels == ["b": "2"])
        #expect(committed.created > before.created && committed.created == committed.updated)
        // Its device goes with its last user.
        try Patience.until { try fixture.store.details(of: fixture.layer("new")).devicePath == nil }
        try fixture.finish()
    }

    @Test func removes() throws {
        let fixture = try SnapshotterFixture()
        let snapshotter = fixture.snapshotter
        try fixture.commit("layer")
        _ = try snapshotter.prepare("child", parent: "layer", kind: .active, labels: [:])
        fixture.expect(.notFound) { try snapshotter.remove("none") }
        let error = fixture.expect(.failedPrecondition) { try snapshotter.remove("layer") }
        #expect(error?.description.contains("cannot remove snapshot") == true)
        try snapshotter.remove("child")
        try snapshotter.remove("layer")
        snapshotter.cleanUp()
        snapshotter.cleanUp()
        #expect(try snapshotter.list().isEmpty)
        // The name can be had again.
        _ = try snapshotter.prepare("child", parent: "", kind: .active, labels: [:])
        try snapshotter.remove("child")
        try fixture.finish()
    }

    /// One that somebody has mounted is never harmed: it stays, or goes when it is not used any more.
    @Test(arguments: [true, false]) func removesWhatIsMountedLater(isDeferred: Bool) throws {
        let fixture = try SnapshotterFixture(["dm.use_deferred_deletion=\(isDeferred)", "dm.use_deferred_removal=true"])
        let snapshotter = fixture.snapshotter
        let mounts = try snapshotter.prepare("a", parent: "", kind: .active, labels: [:])
        try fixture.mounted(mounts) { path in
            if isDeferred {
                try snapshotter.remove("a")
                // Its key is free at once.
                _ = try snapshotter.prepare("a", parent: "", kind: .active, labels: [:])
            } else {
                fixture.expect(.failedPrecondition) { try snapshotter.remove("a") }
            }
            try Shell.run("timeout 20 sh -c \"echo x > '\(path)/file' && sync -f '\(path)' && cat '\(path)/file'\"")
        }
        try snapshotter.remove("a")
        #expect(snapshotter.count == 0)
        snapshotter.cleanUp()
        try fixture.finish()
    }

    @Test func updatesLabelsAndLists() throws {
        let fixture = try SnapshotterFixture()
        let snapshotter = fixture.snapshotter
        _ = try snapshotter.prepare("a", parent: "", kind: .active, labels: ["containerd.io/snapshot.ref": "x"])
        try fixture.commit("c")
        let made = try snapshotter.stat("a")
        let updated = try snapshotter.update("a", labels: ["l": "1"], paths: ["labels.l"])
        #expect(updated.labels == ["containerd.io/snapshot.ref": "x", "l": "1"])
        #expect(updated.created == made.created && updated.updated > made.updated)
        #expect(try snapshotter.stat("a") == updated)
        fixture.expect(.invalidArgument) { try snapshotter.update("a", labels: [:], paths: ["parent"]) }
        fixture.expect(.notFound) { try snapshotter.update("none", labels: [:], paths: []) }
        #expect(try snapshotter.list(["kind==committed", "labels.l==1"]).map(\.key) == ["a", "c"])
        #expect(try snapshotter.list([#"labels."containerd.io/snapshot.ref"==x,parent=="""#]).map(\.key) == ["a"])
        #expect(try snapshotter.list(["name==none"]).isEmpty)
        fixture.expect(.invalidArgument) { try snapshotter.list(["name=="]) }
        try fixture.finish()
    }

    @Test func tellsTheUsageOfEachByItself() throws {
        let fixture = try SnapshotterFixture()
        let snapshotter = fixture.snapshotter
        let mounts = try snapshotter.prepare("a", parent: "", kind: .active, labels: [:])
        #expect(try snapshotter.usage("a").bytes == 0)
        try fixture.mounted(mounts) { try Shell.run("head -c 20M /dev/urandom > '\($0)/file'; sync -f '\($0)'") }
        let active = try snapshotter.usage("a").bytes
        #expect(active >= 20 << 20 && active < 40 << 20)
        try snapshotter.commit("a", as: "layer", labels: [:])
        #expect(try snapshotter.usage("layer").bytes == active)
        _ = try snapshotter.prepare("view", parent: "layer", kind: .view, labels: [:])
        #expect(try snapshotter.usage("view").bytes == 0)
        fixture.expect(.notFound) { try snapshotter.usage("none") }
        try fixture.finish()
    }

    @Test func givesASnapshotItsSize() throws {
        let fixture = try SnapshotterFixture()
        let snapshotter = fixture.snapshotter
        let label = Snapshotter.sizeLabel
        let mounts = try snapshotter.prepare("large", parent: "", kind: .active, labels: [label: "\(400 << 20)"])
        let size = try fixture.mounted(mounts) { try Shell.run("df --output=size -B 1M '\($0)' | tail -n 1") }
        #expect(try #require(Int(size.filter(\.isNumber))) > 330)
        for value in ["100", "x", "-1"] {
            fixture.expect(.invalidArgument) {
                try snapshotter.prepare("bad", parent: "", kind: .active, labels: [label: value])
            }
        }
        #expect(try snapshotter.list().map(\.key) == ["large"])
        try fixture.finish()
    }

    @Test func refusesWhenThePoolHasNoReserve() throws {
        let fixture = try StoreFixture()
        let store = try LayerStore(
            opening: fixture.root, options: StorageOptions(parsing: ["dm.min_free_space=95%"]),
            transport: fixture.transport)
        let snapshotter = try Snapshotter(store)
        let error = #expect(throws: SnapshotterError.self) {
            try snapshotter.prepare("a", parent: "", kind: .active, labels: [:])
        }
        #expect(error?.code == .resourceExhausted)
        #expect(snapshotter.count == 0)
    }
}
