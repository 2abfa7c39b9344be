import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// The content of layers: they begin as copies of their parents, and are independent of them from then on.
@Suite(.serialized) struct StoreLayerTests {
    @Test(arguments: ["ext4", "xfs"]) func isolatesLayers(filesystem: String) throws {
        let fixture = try StoreFixture(["dm.fs=\(filesystem)"])
        let store = fixture.store
        let (image, second) = (try LayerID("image"), try LayerID("second"))
        try store.create(image)
        try store.write("1", to: "version", in: image)
        try store.create(second, parent: image)
        try store.write("2", to: "version", in: second)
        let containers = [try LayerID("web"), try LayerID("db")]
        for container in containers { try store.create(container, parent: second) }
        // Both at once: XFS does not mount two file systems with one UUID by itself.
        let paths = try containers.map { try store.mount($0) }
        for (container, path) in zip(containers, paths) {
            #expect(try Shell.run("cat '\(path)/version'") == "2")
            try Shell.run("echo \(container) > '\(path)/own'")
        }
        #expect(try Shell.run("cat '\(paths[0])/own'") == "web")
        #expect(try Shell.run("cat '\(paths[1])/own'") == "db")
        for container in containers { try store.unmount(container) }
        #expect(try store.read("version", in: image) == "1")
        #expect(try store.read("own", in: containers[1]) == "db")
        try fixture.finish()
    }

    @Test func hasDockersLayout() throws {
        let fixture = try StoreFixture()
        let (first, child) = (try LayerID("first"), try LayerID("child"))
        try fixture.store.create(first)
        let path = try fixture.store.mount(first)
        #expect(path == fixture.root.appending("mnt/first/rootfs"))
        #expect(try Shell.run("stat -c '%a %u %g' '\(path)'") == "755 0 0")
        #expect(try Shell.run("ls -A '\(path)'") == "")
        #expect(
            try Shell.run("cat '\(fixture.root)/mnt/first/id'; stat -c ' %a' '\(fixture.root)/mnt/first/id'")
                == "first 600")
        try fixture.store.unmount(first)
        #expect(try Shell.run("ls '\(fixture.root)/mnt'") == "")
        // The child inherits the name of the oldest.
        try fixture.store.create(child, parent: first)
        _ = try fixture.store.mount(child)
        #expect(try Shell.run("cat '\(fixture.root)/mnt/child/id'") == "first")
        try fixture.store.unmount(child)
        try fixture.finish()
    }

    @Test func copiesAParentThatIsMounted() throws {
        let fixture = try StoreFixture()
        let (parent, child) = (try LayerID("parent"), try LayerID("child"))
        try fixture.store.create(parent)
        let path = try fixture.store.mount(parent)
        // Not synchronised: the freeze has to bring it to the disk.
        try Shell.run("printf kept > '\(path)/file'")
        fixture.transport.forget()
        try fixture.store.create(child, parent: parent)
        #expect(fixture.transport.commands.filter { $0 == .suspendDevice }.count == 2)
        try Shell.run("printf changed > '\(path)/file'")
        #expect(try fixture.store.read("file", in: child) == "kept")
        try fixture.store.unmount(parent)
        #expect(try fixture.store.read("file", in: parent) == "changed")
        try fixture.finish()
    }

    @Test(arguments: FaultyTransport.Moment.allCases)
    func resumesAParentWhoseCopyFailed(moment: FaultyTransport.Moment) throws {
        let fixture = try StoreFixture()
        let (parent, child) = (try LayerID("parent"), try LayerID("child"))
        try fixture.store.create(parent)
        let path = try fixture.store.mount(parent)
        for command in [ControlCommand.targetMessage, .suspendDevice] {
            fixture.transport.fail(command, with: .ioError, moment)
            #expect(throws: LayerStoreError.self) { try fixture.store.create(child, parent: parent) }
            // It would wait for ever on a device that is still suspended.
            try Shell.run("timeout 20 sh -c 'echo x > \"\(path)/file\"; sync -f \"\(path)\"'")
        }
        try fixture.store.create(child, parent: parent)
        try fixture.store.unmount(parent)
        try fixture.finish()
    }

    @Test(arguments: ["ext4", "xfs"]) func growsALayer(filesystem: String) throws {
        let fixture = try StoreFixture(["dm.fs=\(filesystem)"])
        let (small, large) = (try LayerID("small"), try LayerID("large"))
        try fixture.store.create(small)
        try fixture.store.write("kept", to: "file", in: small)
        let record = try fixture.store.create(large, parent: small, size: 600 << 20)
        #expect(record.size == 600 << 20)
        let path = try fixture.store.mount(large)
        let size = try #require(Int(try Shell.run("stat -f -c '%b %S' '\(path)' | awk '{ print $1 * $2 }'")))
        #expect(size > 520 << 20)
        #expect(try Shell.run("cat '\(path)/file'") == "kept")
        try fixture.store.unmount(large)
        try fixture.finish()
    }

    /// No count of mounts is kept: a second process that mounts and unmounts would take the mount of the first away, or a
    /// process that dies would leave a count for ever.
    @Test func unmountsHoweverOftenItWasMounted() throws {
        let fixture = try StoreFixture()
        let id = try LayerID("a")
        try fixture.store.create(id)
        let path = try fixture.store.mount(id)
        #expect(try fixture.store.mount(id) == path)
        #expect(try fixture.reopened().mount(id) == path)
        #expect(try fixture.store.details(of: id).mountPath == path)
        #expect(try fixture.store.unmount(id) == .done)
        #expect(try fixture.store.details(of: id).mountPath == nil)
        #expect(try fixture.store.unmount(id) == .done)
        try fixture.finish()
    }

    @Test func leavesALayerInUseAsItIsAndNamesWhoUsesIt() throws {
        let fixture = try StoreFixture(["dm.use_deferred_removal=false"])
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let path = try fixture.store.mount(id)
        let process = try Shell.run("cd '\(path)' && { sleep 100 >/dev/null 2>&1 & echo $!; }")
        defer { _ = try? Shell.run("kill \(process)") }
        for operation in ["unmount", "remove"] {
            let (status, output) = try fixture.run("\(operation) layer")
            #expect(status == 1)
            #expect(output.contains("process \(process) (sleep)"), "\(output)")
        }
        #expect(throws: LayerStoreError.self) { try fixture.store.shutdown() }
        try Shell.run(
            "echo x > '\(path)/still-writable'; kill \(process); while kill -0 \(process) 2>/dev/null; do sleep 0.1; done"
        )
        try fixture.store.unmount(id)
        try fixture.store.remove(id)
        try fixture.store.remove(id)
        try fixture.finish()
    }
}
