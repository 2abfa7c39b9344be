import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Layers that are unmounted or removed while somebody uses them.
@Suite(.serialized) struct StoreDeferralTests {
    /// A process that has a file of a mounted layer open and writes what it is sent.
    private func startUser(of path: FilePath) throws -> String {
        try Shell.run("cd '\(path)' && { tail -f /dev/null >> held 2>/dev/null & echo $!; }")
    }

    private func end(_ process: String) throws {
        try Shell.run("kill \(process); while kill -0 \(process) 2>/dev/null; do sleep 0.05; done")
    }

    @Test func detachesALayerInUseAndMountsItAgain() throws {
        let fixture = try StoreFixture()
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let path = try fixture.store.mount(id)
        let process = try startUser(of: path)
        defer { _ = try? Shell.run("kill \(process) 2>/dev/null") }
        try Shell.run("echo kept > '\(path)/file'")

        let (status, output) = try fixture.run("unmount layer")
        #expect(status == 0)
        #expect(output.contains("process \(process) (tail)"), "\(output)")
        #expect(try fixture.store.details(of: id).mountPath == nil)
        #expect(try fixture.devices().count == 2)
        #expect(try Shell.run("ls '\(fixture.root)/mnt'") == "")

        // Mounted again before it is gone, it is the same file system, and stays.
        #expect(try fixture.store.read("file", in: id) == "kept")
        _ = try fixture.store.mount(id)
        try end(process)
        #expect(try fixture.store.details(of: id).mountPath == path)
        #expect(try fixture.store.read("file", in: id) == "kept")
        try fixture.store.unmount(id)
        try fixture.store.unmount(id)
        #expect(try fixture.devices().count == 1)
        try fixture.finish()
    }

    @Test func theDeviceGoesWithItsLastUser() throws {
        let fixture = try StoreFixture()
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let process = try startUser(of: try fixture.store.mount(id))
        defer { _ = try? Shell.run("kill \(process) 2>/dev/null") }
        guard case .deferred(let users) = try fixture.store.unmount(id) else {
            Issue.record("it is in use")
            return
        }
        #expect(users.map(\.processID) == [Int(process)])
        // A copy can be made meanwhile, and the device is still to go.
        try fixture.store.create(LayerID("copy"), parent: id)
        try end(process)
        try Patience.until { try fixture.devices().count == 1 }
        try fixture.finish()
    }

    /// Mounting it for a moment does not make it stay.
    @Test func resizesAndTrimsALayerThatIsDetached() throws {
        let fixture = try StoreFixture()
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let process = try startUser(of: try fixture.store.mount(id))
        defer { _ = try? Shell.run("kill \(process) 2>/dev/null") }
        try fixture.store.unmount(id)
        try fixture.store.resize(id, to: 400 << 20)
        #expect(try fixture.store.trim([id]).layers.map(\.id) == [id])
        #expect(try fixture.devices().count == 2)
        try end(process)
        try Patience.until { try fixture.devices().count == 1 }
        try fixture.finish()
    }

    @Test func removesALayerInUseAndGivesItsIDAway() throws {
        let fixture = try StoreFixture()
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let process = try startUser(of: try fixture.store.mount(id))
        defer { _ = try? Shell.run("kill \(process) 2>/dev/null") }
        let (status, output) = try fixture.run("remove layer")
        #expect(status == 0)
        #expect(output.contains("process \(process) (tail)"), "\(output)")
        #expect(try fixture.run("inspect layer").status == 1)
        #expect(try fixture.run("info").output.contains("Deferred Deleted Device Count: 1"))

        // The id is free at once.
        try fixture.store.create(id)
        try fixture.store.write("new", to: "file", in: id)
        #expect(try fixture.store.read("file", in: id) == "new")
        // A layer in use keeps the pool active.
        #expect {
            try fixture.reopened(patience: .milliseconds(200)).shutdown()
        } throws: {
            ($0 as? LayerStoreError)?.code == .busy && "\($0)".contains("process \(process) (tail)")
        }
        try end(process)
        let trimmed = try fixture.run("trim").output.split(separator: "\n")
        #expect(trimmed == ["ended removals: 1"])
        #expect(try fixture.store.status().deferredDeletions == 0)
        #expect(try fixture.store.read("file", in: id) == "new")
        try fixture.finish()
    }

    @Test func aLongRunningProgramDeletesItWhenItCan() throws {
        let fixture = try StoreFixture()
        let store = try fixture.reopened(.inBackground)
        let (busy, other) = (try LayerID("busy"), try LayerID("other"))
        for id in [busy, other] { try store.create(id) }
        let process = try startUser(of: try store.mount(busy))
        defer { _ = try? Shell.run("kill \(process) 2>/dev/null") }
        guard case .deferred = try store.remove(busy) else {
            Issue.record("it is in use")
            return
        }
        try end(process)
        // The next removal takes it along; without one the worker comes back after Docker's 30 seconds.
        try store.remove(other)
        try Patience.until { try store.status().deferredDeletions == 0 }
        try fixture.finish()
    }

    @Test func refusesToRemoveALayerInUseWhereThatIsNotWanted() throws {
        let fixture = try StoreFixture(["dm.use_deferred_deletion=false"])
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let process = try startUser(of: try fixture.store.mount(id))
        defer { _ = try? Shell.run("kill \(process) 2>/dev/null") }
        #expect(throws: LayerStoreError.self) { try fixture.store.remove(id) }
        #expect(try fixture.run("info").output.contains("Deferred Deletion Enabled: false"))
        #expect(try fixture.run("why-busy layer").output.contains("process \(process) (tail)"))
        try end(process)
        try fixture.store.remove(id)
        try fixture.finish()
    }
}
