import DeviceMapper
import LayerStore
import Synchronization
import SystemCalls
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

@testable import LayerStore

/// The remains of a crash, and states that only look like them.
@Suite(.serialized) struct LeftOverTests {
    private func pool(_ fixture: StoreFixture) throws -> String {
        try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
    }

    /// Has the next operation recover, as if a process had died.
    private func forgetMarks(_ fixture: StoreFixture) throws {
        try Shell.run("printf x | dd of='\(fixture.root)/lock' conv=notrunc status=none")
    }

    private func message(_ text: String, _ fixture: StoreFixture) throws {
        try Shell.run("dmsetup message '\(pool(fixture))' 0 '\(text)'")
    }

    @Test func leavesAMountedLayerWhoseFileIsDamaged() throws {
        let fixture = try StoreFixture()
        let (damaged, other) = (try LayerID("damaged"), try LayerID("other"))
        try fixture.store.create(damaged)
        let path = try fixture.store.mount(damaged)
        try Shell.run(
            """
            printf kept > '\(path)/file'
            cd '\(fixture.root)/metadata' && cp damaged '\(fixture.scratch.path)/kept' && printf junk > damaged
            """)
        try forgetMarks(fixture)
        try fixture.store.create(other)
        #expect(try Shell.run("cat '\(path)/file'; mountpoint '\(fixture.root)/mnt/damaged'").contains("kept"))
        #expect(try fixture.devices().contains { $0.hasSuffix("-damaged") })
        try Shell.run("cp '\(fixture.scratch.path)/kept' '\(fixture.root)/metadata/damaged'")
        try fixture.store.unmount(damaged)
        try fixture.finish()
    }

    @Test func worksWithoutItsBaseDevice() throws {
        let fixture = try StoreFixture()
        let (layer, child, fresh) = (try LayerID("layer"), try LayerID("child"), try LayerID("fresh"))
        try fixture.store.create(layer)
        try fixture.store.write("kept", to: "file", in: layer)
        let base = try fixture.store.details(of: .base).record.deviceID
        try message("delete \(base)", fixture)
        try fixture.store.shutdown()

        let store = try fixture.reopened()
        #expect(try store.read("file", in: layer) == "kept")
        try store.create(child, parent: layer)
        #expect(try store.read("file", in: child) == "kept")
        let refusal = #expect(throws: LayerStoreError.self) { try store.create(fresh) }
        #expect(refusal?.reason.contains("base device is lost") == true)
        try store.remove(child)

        let report = try LayerStore.check(fixture.root)
        #expect(report.findings.contains { $0.kind == .missingDevice && $0.subject == "base" })
        let (status, output) = try fixture.run("check --repair --forget base")
        #expect(status != 0, "there is no base device yet: \(output)")
        let made = try LayerStore.initialize(
            fixture.root, options: StorageOptions(parsing: ["dm.basesize=300m"]), removals: .beforeReturning)
        try made.create(fresh)
        try made.write("new", to: "file", in: fresh)
        #expect(try made.read("file", in: layer) == "kept")
        #expect(try LayerStore.check(fixture.root).isClean)
        try fixture.finish()
    }

    /// Recovery deletes what it finds in the numbers that are reserved for new layers.
    @Test func neverDeletesThinDevicesOfAnotherProgram() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("first"))
        let next = try #require(try fixture.registeredIDs().max()) + 1
        // One number in the block that is reserved already, and two in blocks that would be reserved later.
        let foreign = [next + 3, next + 40, next + 70]
        for number in foreign { try message("create_thin \(number)", fixture) }
        for number in 0..<90 { try fixture.store.create(LayerID("layer-\(number)")) }
        #expect(Set(try fixture.registeredIDs()).isDisjoint(with: foreign))
        try forgetMarks(fixture)
        try fixture.store.create(LayerID("last"))
        for number in foreign { try message("delete \(number)", fixture) }
        try fixture.finish()
    }

    /// The number of another program's device cannot be noted, because the disk is full for example.
    @Test func leavesNoMarkOfANumberThatItCouldNotNote() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("first"))
        let foreign = try #require(try fixture.registeredIDs().max()) + 1
        try message("create_thin \(foreign)", fixture)
        let note = "\(fixture.root)/metadata/.excluded-device-id.\(foreign)"
        // A directory in its place: the file cannot be made.
        try Shell.run("mkdir '\(note)'")
        let error = #expect(throws: LayerStoreError.self) { try fixture.store.create(LayerID("second")) }
        #expect(error?.reason.contains("cannot create \(note)") == true)
        #expect(try fixture.store.core.readMarks()?.hasLayersInMaking() == false)
        #expect(fixture.store.core.numbers.inMakingHere == [])
        try Shell.run("rmdir '\(note)'")
        try fixture.store.create(LayerID("second"))
        try message("delete \(foreign)", fixture)
        try fixture.finish()
    }

    /// The operation that recovered the store fails; the removals that waited are ended all the same.
    @Test func endsRemovalsAlsoBehindAnOperationThatFails() throws {
        let fixture = try StoreFixture(["dm.blkdiscard=false"])
        let id = try LayerID("layer")
        try fixture.store.create(id)
        fixture.transport.failAlways(.targetMessage, after: 0)
        _ = try? fixture.store.remove(id)
        try fixture.store.shutdown()
        fixture.transport.disarm()
        #expect(try fixture.store.waitingRemovals() == 1)
        #expect(throws: LayerStoreError.self) { try fixture.store.mount(id) }
        #expect(try fixture.store.waitingRemovals() == 0)
        try fixture.finish()
    }

    /// Operations that come at once must not keep each other from the recovery.
    @Test func recoversAlsoWhereManyComeAtOnce() throws {
        let fixture = try StoreFixture()
        for number in 0..<4 { try fixture.store.create(LayerID("layer-\(number)")) }
        for _ in 0..<5 {
            // A number of a block that is reserved, as an interrupted creation leaves it.
            let registry = try LayerRegistry(fixture.root.appending("metadata"))
            let used = Set(try fixture.registeredIDs())
            let next = try #require(
                registry.numbers().reserved.map { Int($0.value) }.filter { !used.contains($0) }.max())
            try message("create_thin \(next)", fixture)
            try forgetMarks(fixture)
            let results = onThreads(4) { number in
                let id = try LayerID("layer-\(number)")
                let store = try fixture.reopened()
                _ = try store.mount(id)
                try store.unmount(id)
            }
            for result in results { try result.get() }
            // The pool has deleted it: the number is free again.
            try message("create_thin \(next)", fixture)
            try message("delete \(next)", fixture)
        }
        try fixture.finish()
    }

    @Test func tellsThatARemovalFailsAndEndsItLater() throws {
        let fixture = try StoreFixture(["dm.blkdiscard=false"])
        let id = try LayerID("layer")
        let told = Mutex<[String]>([])
        try fixture.store.create(id)
        try fixture.store.shutdown()
        do {
            let store = try fixture.reopened(.inBackground)
            _ = try store.status()
            store.noteRemovalFailures { reason in told.withLock { $0.append(reason) } }
            fixture.transport.failAlways(.targetMessage, after: 0)
            try store.remove(id)
            try Patience.until { store.removalFailure != nil }
            #expect(try store.waitingRemovals() == 1)
            fixture.transport.disarm()
            store.freeRemovedLayers()
            try Patience.until { try store.waitingRemovals() == 0 }
            try Patience.until { store.removalFailure == nil }
        }
        #expect(told.withLock(\.count) == 1)
        #expect(told.withLock { $0.first?.contains("put error") } == true)
        try fixture.finish()
    }

    /// Every wait of an operation ends with its patience.
    @Test func waitsNoLongerThanItsPatience() throws {
        let fixture = try StoreFixture()
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let holder = try StoreLock(fixture.root.appending("lock")).open(until: .after(.seconds(5)))
        _ = try elsewhere { try holder.lock([id]) }
        let impatient = try fixture.reopened(patience: .milliseconds(300))
        let begin = ContinuousClock.now
        for operation in [
            { _ = try impatient.mount(id) }, { _ = try impatient.remove(id) },
            { try impatient.resize(id, to: 400 << 20) },
            { try impatient.create(LayerID("child"), parent: id) }, { _ = try impatient.changes(of: id) },
        ] as [() throws -> Void] {
            let error = #expect(throws: LayerStoreError.self) { try operation() }
            #expect(error?.code == .busy)
            #expect(error?.reason.contains("layer \(id)") == true)
        }
        #expect(ContinuousClock.now - begin < .seconds(20))
        holder.close()
        _ = try impatient.mount(id)
        try impatient.unmount(id)
        try fixture.finish()
    }
}
