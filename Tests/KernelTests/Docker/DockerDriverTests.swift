import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Docker's own tests of storage drivers, and of this driver, under their names there.
///
/// `DeepLayerRead`, `DiffApply` and `Changes` are about the content of layers, and are with that:
/// ``StoreContentTests``. `IncreaseLoopBackSize` and `ReduceLoopBackSize` are in ``StoreCapacityTests``. Docker's `Setup`, a
/// driver on files of the least sizes, is what every fixture here begins with, and `Cleanup` what it ends with.
@Suite(.serialized) struct DockerDriverTests {
    @Test(arguments: ["ext4", "xfs"]) func createEmpty(filesystem: String) throws {
        let fixture = try StoreFixture(["dm.fs=\(filesystem)"])
        let id = try LayerID("empty")
        try fixture.store.create(id)
        let ids = try fixture.store.layers().map { if case .layer(let id, _) = $0 { id.text } else { "damaged" } }
        #expect(ids == ["base", "empty"])
        let path = try fixture.store.mount(id)
        #expect(try Shell.run("stat -c '%F %a %u %g' '\(path)'; ls -A '\(path)'") == "directory 755 0 0")
        try fixture.store.unmount(id)
        try fixture.store.remove(id)
        #expect(try fixture.store.layers().count == 1)
        try fixture.finish()
    }

    private func makeBase(_ fixture: StoreFixture) throws -> LayerID {
        let id = try LayerID("Base")
        try fixture.store.create(id)
        let path = try fixture.store.mount(id)
        try Shell.run(
            """
            umask 0
            cd '\(path)' && mkdir 'a subdir' && chown 1:2 'a subdir' && chmod 1705 'a subdir'
            printf x > 'a file' && chmod 4222 'a file'
            """)
        try fixture.store.unmount(id)
        return id
    }

    private func expectBase(_ fixture: StoreFixture, _ id: LayerID) throws {
        let path = try fixture.store.mount(id)
        let listing = try Shell.run("cd '\(path)' && stat -c '%n %F %a %u %g' *")
        #expect(listing == "a file regular file 4222 0 0\na subdir directory 1705 1 2")
        #expect(try Shell.run("ls -A '\(path)' | wc -l") == "2")
        try fixture.store.unmount(id)
    }

    @Test(arguments: ["ext4", "xfs"]) func createBase(filesystem: String) throws {
        let fixture = try StoreFixture(["dm.fs=\(filesystem)"])
        try expectBase(fixture, try makeBase(fixture))
        try fixture.finish()
    }

    @Test(arguments: ["ext4", "xfs"]) func createSnap(filesystem: String) throws {
        let fixture = try StoreFixture(["dm.fs=\(filesystem)"])
        let base = try makeBase(fixture)
        let snapshot = try LayerID("Snap")
        try fixture.store.create(snapshot, parent: base)
        try expectBase(fixture, snapshot)
        try fixture.store.remove(snapshot)
        try expectBase(fixture, base)
        try fixture.finish()
    }

    /// Docker's quota of 50 MiB is less than the base device has.
    ///
    /// That is refused there as well as here. So the quota is one that this driver takes.
    @Test(arguments: ["ext4", "xfs"]) func setQuota(filesystem: String) throws {
        let fixture = try StoreFixture(["dm.fs=\(filesystem)"])
        let id = try LayerID("zfs_quota")
        #expect {
            try fixture.store.create(id, size: 50 << 20)
        } throws: {
            ($0 as? LayerStoreError)?.code == .sizeTooSmall && "\($0)".contains("52.43MB")
        }
        try fixture.store.create(id, size: 320 << 20)
        let path = try fixture.store.mount(id)
        try Shell.run("head -c 160M /dev/zero > '\(path)/smallfile'")
        let (status, output) = try Shell.runForStatus("head -c 320M /dev/zero > '\(path)/bigfile'")
        #expect(status != 0)
        #expect(output.contains("No space left on device"), "\(output)")
        #expect(try Shell.run("stat -c %s '\(path)/smallfile'") == "\(160 << 20)")
        try fixture.store.unmount(id)
        try fixture.store.remove(id)
        try fixture.finish()
    }

    /// No lock is left behind by a deletion, whether it succeeds, has to wait or fails.
    @Test func lockReleasedDeviceDeletion() throws {
        let fixture = try StoreFixture()
        let inode = try Stat(fixture.root.appending("lock")).inode.rawValue
        func expectNoLock(_ location: SourceLocation = #_sourceLocation) throws {
            let held = try Shell.run("grep -c ':\(inode) ' /proc/locks || true")
            #expect(held == "0", sourceLocation: location)
            // Nor does anything wait for one in this process.
            #expect(try fixture.run("info").status == 0, sourceLocation: location)
        }
        let ids = try ["deleted", "busy", "failing"].map { try LayerID($0) }
        for id in ids { try fixture.store.create(id) }
        try fixture.store.remove(ids[0])
        try expectNoLock()
        let path = try fixture.store.mount(ids[1])
        let process = try Shell.run("cd '\(path)' && { sleep 1000 >/dev/null 2>&1 & echo $!; }")
        defer { _ = try? Shell.run("kill \(process) 2>/dev/null") }
        #expect(try fixture.store.remove(ids[1]) != .done)
        try expectNoLock()
        fixture.transport.failAlways(.targetMessage, after: 0)
        #expect(throws: LayerStoreError.self) { try fixture.store.remove(ids[2]) }
        fixture.transport.disarm()
        try expectNoLock()
        #expect(throws: LayerStoreError.self) { try fixture.reopened(patience: .milliseconds(200)).shutdown() }
        try expectNoLock()
        try Shell.run("kill \(process); while kill -0 \(process) 2>/dev/null; do sleep 0.05; done")
        try fixture.finish()
    }

    /// A copy of the mount in another namespace keeps a layer neither from being unmounted nor from being removed.
    @Test(arguments: [true, false]) func mountLeaks(isDeferred: Bool) throws {
        let fixture = try StoreFixture([
            "dm.use_deferred_removal=\(isDeferred)", "dm.use_deferred_deletion=\(isDeferred)",
        ])
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let path = try fixture.store.mount(id)
        let process = try Shell.run("unshare --mount --propagation private sleep 1000 >/dev/null 2>&1 & echo $!")
        defer { _ = try? Shell.run("kill \(process)") }
        // It has the mount as soon as it is the program.
        try Patience.until { try Shell.run("cat /proc/\(process)/comm") == "sleep" }
        #expect(try Shell.run("grep -c ' \(path.removingLastComponent()) ' /proc/\(process)/mountinfo") == "1")
        #expect(try fixture.store.unmount(id) == .done)
        #expect(try Shell.run("grep -c ' \(path.removingLastComponent()) ' /proc/\(process)/mountinfo || true") == "0")
        #expect(try fixture.devices().count == 1)
        #expect(try fixture.store.remove(id) == .done)
        try fixture.finish()
    }
}
