import DeviceMapper
import Glibc
import LayerArchive
import Synchronization
import SystemCalls
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

@testable import LayerStore

/// Numbers and names that another process frees and takes again between two steps of an operation.
@Suite(.serialized) struct StoreReuseTests {
    private func snapshot(_ key: String) -> SnapshotRecord {
        SnapshotRecord(key: key, kind: .active, parent: "", labels: [:], time: 0)
    }

    /// A layer that was unmounted while a file in it is open; the device goes when that is closed.
    private func detached(_ id: LayerID, _ fixture: StoreFixture) throws -> FileDescriptor {
        try fixture.store.create(id)
        let path = try fixture.store.mount(id)
        try Shell.run("echo \(id) > '\(path)/file'")
        let file = try FileDescriptor.open(path.appending("file"), .readOnly)
        try fixture.store.unmount(id)
        return file
    }

    private static let options = ["dm.use_deferred_removal=true", "dm.use_deferred_deletion=true"]

    /// Lets the last user of a layer's device close it when an operation has found it; another layer gets its number.
    ///
    /// Another test can take the number first, and a kernel can be late to give it free; then it is tried again.
    ///
    /// - Parameter operation: The operation on the layer; it asks for the layer's device after the pool's.
    private func lastUserCloses(during operation: (LayerStore, LayerID) throws -> Void) throws {
        for _ in 1...10 where try otherLayerGetsTheNumber(during: operation) { return }
        Issue.record("the other layer's device never got the number")
    }

    /// - Returns: Whether it was the other layer's device that got the number.
    private func otherLayerGetsTheNumber(during operation: (LayerStore, LayerID) throws -> Void) throws -> Bool {
        let fixture = try StoreFixture(Self.options)
        let (layer, victim) = (try LayerID("layer"), try LayerID("victim"))
        try fixture.store.create(victim)
        try fixture.store.write("victim", to: "own", in: victim)
        let file = try detached(layer, fixture)
        let before = try #require(try fixture.store.details(of: layer).devicePath)
        let other = try fixture.reopened()
        let outcome = Mutex<Result<FilePath?, any Error>?>(nil)
        fixture.transport.interrupt(after: .deviceStatus, skipping: 1) {
            let result = Result {
                try file.close()
                try Patience.until { try other.details(of: layer).devicePath == nil }
                // The kernel gives the number free a moment after the device has gone.
                pause(for: .milliseconds(200))
                _ = try other.mount(victim)
                return try other.details(of: victim).devicePath
            }
            outcome.withLock { $0 = result }
        }
        try operation(fixture.store, layer)
        let taken = try #require(outcome.withLock { $0 }).get()
        try other.unmount(victim)
        #expect(try fixture.store.read("own", in: victim) == "victim")
        try fixture.finish()
        return taken == before
    }

    @Test func mountsNoOtherLayer() throws {
        try lastUserCloses { store, layer in
            let path = try store.mount(layer)
            #expect(try Shell.run("cat '\(path)/file'") == layer.text)
            try store.unmount(layer)
        }
    }

    @Test func readsNoOtherLayer() throws {
        try lastUserCloses { store, layer in
            let changes = try store.changes(of: layer)
            #expect(changes.map { "\($0.path)" } == ["/file"])
        }
    }

    @Test func servesOrShutsDown() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("layer"))
        try shutDownWhileAServiceBegins(fixture)
        fixture.transport.disarm()
        try awaitNoService(of: fixture)
        try fixture.finish()
    }

    private func shutDownWhileAServiceBegins(_ fixture: StoreFixture) throws {
        let other = try fixture.reopened()
        let outcome = Mutex<Result<Void, any Error>?>(nil)
        fixture.transport.interrupt(after: .deviceStatus) {
            let result = Result { try other.beginService() }
            outcome.withLock { $0 = result }
        }
        let error = #expect(throws: LayerStoreError.self) { try fixture.store.shutdown() }
        #expect(error?.code == .busy)
        let begun = outcome.withLock { $0 }
        try #require(begun).get()
        #expect(try fixture.devices().contains { $0.hasSuffix("-pool") })
    }

    /// A thread that removes layers has the store of a service for a moment longer than the test has.
    private func awaitNoService(of fixture: StoreFixture) throws {
        let lock = StoreLock(fixture.root.appending("lock"))
        try Patience.until { try !lock.isHeld(.snapshots) }
    }

    /// A service that could not begin, since an operation of before does not end, is none.
    @Test func isNoServiceThatCouldNotBegin() throws {
        let fixture = try StoreFixture()
        let holder = try StoreLock(fixture.root.appending("lock")).open(until: .after(.seconds(5)))
        try elsewhere { try holder.lock(.store, exclusively: false) }
        let impatient = try fixture.reopened(patience: .milliseconds(300))
        let error = #expect(throws: LayerStoreError.self) { try impatient.beginService() }
        #expect(error?.code == .busy)
        try holder.unlock(.store)
        try withExtendedLifetime(impatient) { try fixture.reopened().beginService() }
        try awaitNoService(of: fixture)
        try fixture.finish()
    }

    /// A device that containerd has been told of stays while no service runs.
    @Test func leavesAPromisedDeviceToWhoWasTold() throws {
        let fixture = try StoreFixture()
        let id = try LayerID("snapshot")
        let active = try fixture.store.createSnapshot(id, parent: nil, size: nil, snapshot("key"))
        _ = try fixture.store.changes(of: id)
        #expect(try fixture.store.details(of: id).devicePath == active.devicePath)
        try fixture.finish()
    }

    /// A number that something else in the pool has is not taken from it because the parent could not be suspended.
    @Test func deletesNoThinDeviceThatItHasNotMade() throws {
        let fixture = try StoreFixture()
        let (parent, child) = (try LayerID("parent"), try LayerID("child"))
        let next = try fixture.store.create(parent).deviceID.next
        _ = try fixture.store.mount(parent)
        let pool = try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
        try Shell.run("dmsetup message '\(pool)' 0 'create_thin \(next)'")
        fixture.transport.fail(.suspendDevice, with: .ioError, .before)
        #expect(throws: LayerStoreError.self) { try fixture.store.create(child, parent: parent) }
        #expect(try Shell.run("! dmsetup message '\(pool)' 0 'create_thin \(next)' 2>&1").contains("exists"))
        try fixture.store.unmount(parent)
        try fixture.store.create(child, parent: parent)
        try fixture.finish()
    }

    // MARK: The remains of a process that was killed

    @Test func activatesAPoolThatWasLeftWithoutATable() throws {
        let fixture = try StoreFixture()
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let pool = try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
        let uuid = try Shell.run("dmsetup info -c --noheadings -o uuid '\(pool)'")
        try fixture.store.shutdown()
        try Shell.run("dmsetup create '\(pool)' --notable --uuid '\(uuid)'")
        #expect(try fixture.run("pool status").output.contains("read-write"))
        try fixture.store.write("x", to: "file", in: id)
        try fixture.finish()
    }

    @Test(arguments: ["--notable", "--readonly --table '0 614400 zero'"])
    func recoversWithABaseDeviceThatWasLeft(table: String) throws {
        let fixture = try StoreFixture()
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let pool = try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
        let uuid = try Shell.run("dmsetup info -c --noheadings -o uuid '\(pool)'").replacing("-pool", with: "-1")
        try Shell.run("dmsetup create '\(pool.replacing("-pool", with: "-base"))' --uuid '\(uuid)' \(table)")
        try Shell.run("printf x | dd of='\(fixture.root)/lock' conv=notrunc status=none")
        try fixture.store.write("x", to: "file", in: id)
        try fixture.finish()
    }

    /// An operation on a layer resumes the layer's device, which a process that died has left suspended.
    @Test func resumesALayerThatWasLeftSuspended() throws {
        let fixture = try StoreFixture()
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let path = try fixture.store.mount(id)
        let device = try #require(try fixture.devices().first { $0.hasSuffix("-layer") })
        try Shell.run("dmsetup suspend '\(device)'")
        _ = try fixture.store.mount(id)
        try Shell.run("timeout 20 sh -c 'echo x > \(path)/file; sync \(path)/file'")
        for _ in 1...2 { try fixture.store.unmount(id) }
        try fixture.finish()
    }

    /// While the pool is suspended and somebody else is inside, so that nobody can recover it, nobody goes on either.
    @Test func resumesAPoolAlsoWhileAnotherOperationIsInTheStore() throws {
        let fixture = try StoreFixture()
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let pool = try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
        try Shell.run(
            """
            dmsetup suspend '\(pool)'
            printf x | dd of='\(fixture.root)/lock' conv=notrunc status=none
            """)
        let holder = try StoreLock(fixture.root.appending("lock")).open(until: .after(.seconds(5)))
        try elsewhere { try holder.lock(.store, exclusively: false) }
        _ = try fixture.reopened(patience: .milliseconds(300)).mount(id)
        try holder.unlock(.store)
        try fixture.store.write("x", to: "file", in: id)
        try fixture.finish()
    }
}
