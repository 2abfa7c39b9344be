import ContainerdSnapshotter
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// The content of containerd's snapshots, through the command, while no service runs.
@Suite(.serialized) struct StoreSnapshotContentTests {
    /// Makes snapshots as a service does, which has ended when this returns.
    private static func makeSnapshots(in fixture: StoreFixture) throws {
        let store = try LayerStore(opening: fixture.root, removals: .beforeReturning)
        let snapshotter = try Snapshotter(store)
        let mounts = try snapshotter.prepare("work", parent: "", kind: .active, labels: [:])
        let options = mounts[0].options.map { "-o '\($0)'" }.joined(separator: " ")
        let place = fixture.scratch.appending("place")
        try Shell.run(
            """
            mkdir '\(place)' && mount -t \(mounts[0].type) \(options) \(mounts[0].source) '\(place)'
            echo image > '\(place)/file'; umount '\(place)'
            """)
        try snapshotter.commit("work", as: "image", labels: [:])
        _ = try snapshotter.prepare("container", parent: "image", kind: .active, labels: [:])
        _ = try snapshotter.prepare("look", parent: "image", kind: .view, labels: [:])
    }

    /// The ids of the layers, by the keys of their snapshots.
    private static func ids(_ store: LayerStore) throws -> [String: String] {
        var ids: [String: String] = [:]
        for case .layer(let id, let record) in try store.layers() {
            if let snapshot = record.snapshot { ids[snapshot.key] = id.text }
        }
        return ids
    }

    /// A sum of every byte of a layer's device.
    private func sum(_ id: String, _ fixture: StoreFixture) throws -> String {
        let details = try fixture.store.details(of: LayerID(id))
        let pool = details.deviceName.dropLast(id.count) + "pool"
        let name = "probe-\(id)"
        return try Shell.run(
            """
            number=$(dmsetup info --columns --noheadings --separator : --options major,minor '\(pool)')
            dmsetup create --readonly \(name) \
                --table "0 \(details.record.size / 512) thin $number \(details.record.deviceID)" >/dev/null
            sha256sum < /dev/mapper/\(name); dmsetup remove --retry \(name)
            """)
    }

    @Test(arguments: ["ext4", "xfs"]) func committedSnapshotsNeverChange(filesystem: String) throws {
        let fixture = try StoreFixture(["dm.fs=\(filesystem)"])
        try Self.makeSnapshots(in: fixture)
        let ids = try Self.ids(fixture.store)
        let (image, view) = (try #require(ids["image"]), try #require(ids["look"]))
        _ = try fixture.run("unmount \(view)")
        let before = try [image, view].map { try sum($0, fixture) }
        for id in [image, view] {
            let path = "\(fixture.root)/mnt/\(id)"
            #expect(try fixture.run("mount \(id)") == (0, path))
            // Once more, where it is mounted.
            #expect(try fixture.run("mount \(id)") == (0, path))
            #expect(try Shell.run("cd '\(path)'; ls -A") == "file")
            #expect(try Shell.runForStatus("touch '\(path)/new' 2>&1").status != 0)
            #expect(try fixture.run("--json inspect \(id)").output.contains("\"mount_path\" : \"\(path)\""))
            #expect(try fixture.run("diff \(id) --parent base | tar -tf -").output == "file")
            #expect(try fixture.run("trim").status == 0)
            for command in ["apply \(id) < '\(fixture.scratch.path)/archive'", "trim \(id)", "resize \(id) 900m"] {
                try Shell.run("cd /; tar -cf '\(fixture.scratch.path)/archive' etc/passwd")
                let (status, output) = try fixture.run(command)
                #expect(status == 1)
                #expect(output.contains("must not change"), "\(output)")
            }
            #expect(try fixture.run("unmount \(id)").status == 0)
            let (status, output) = try fixture.run("apply \(id) < '\(fixture.scratch.path)/archive'")
            #expect(status == 1 && output.contains("must not change"), "\(output)")
            let (creation, message) = try fixture.run("create copy --parent \(id)")
            #expect(creation == 1 && message.contains("containerd's snapshot"), "\(message)")
        }
        #expect(try [image, view].map { try sum($0, fixture) } == before)
        try fixture.finish()
    }

    /// All of the file system is the content of an active one.
    @Test(arguments: ["ext4", "xfs"]) func activeSnapshotsHaveTheirContentAtTheTop(filesystem: String) throws {
        let fixture = try StoreFixture(["dm.fs=\(filesystem)"])
        try Self.makeSnapshots(in: fixture)
        let container = try #require(try Self.ids(fixture.store)["container"])
        let path = "\(fixture.root)/mnt/\(container)"
        #expect(try fixture.run("mount \(container)") == (0, path))
        #expect(try Shell.run("cd '\(path)'; touch new; ls -A") == "file\nnew")
        #expect(
            try Shell.runForStatus(
                """
                cd '\(fixture.scratch.path)'; mkdir d; echo x > d/applied; tar -C d -cf archive applied
                '\(DMLayerCommand.path)' --root '\(fixture.root)' apply \(container) < archive
                """
            ).status == 0)
        #expect(try Shell.run("cd '\(path)'; ls -A") == "applied\nfile\nnew")
        #expect(try fixture.run("changes \(container)").output == "A /applied\nA /new")
        for command in ["unmount \(container)", "resize \(container) 900m", "trim \(container)"] {
            let (status, output) = try fixture.run(command)
            #expect(status == 0, "\(output)")
        }
        #expect(try fixture.run("changes \(container)").output == "A /applied\nA /new")
        try fixture.finish()
    }
}
