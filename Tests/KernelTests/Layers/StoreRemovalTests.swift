import DeviceMapper
import Glibc
import Synchronization
import SystemCalls
import SystemPackage
import TestSupport
import Testing

@testable import LayerStore

/// The space of removed layers.
@Suite(.serialized) struct StoreRemovalTests {
    /// The space of the data file on the disk below it, in KiB.
    private func fileUse(_ fixture: StoreFixture) throws -> Int {
        try #require(Int(try Shell.run("sync; du -k '\(fixture.root)/devicemapper/data' | cut -f1")))
    }

    private func poolUse(_ store: LayerStore) throws -> UInt64 { try store.status().data.used }

    /// Two layers that share 30 MiB.
    private func share30MiB(_ fixture: StoreFixture) throws -> (LayerID, LayerID) {
        let (layer, snapshot) = (try LayerID("layer"), try LayerID("snapshot"))
        try fixture.store.create(layer)
        let path = try fixture.store.mount(layer)
        try Shell.run("head -c 30M /dev/urandom > '\(path)/data'")
        try fixture.store.unmount(layer)
        try fixture.store.create(snapshot, parent: layer)
        return (layer, snapshot)
    }

    @Test(arguments: [true, false]) func frees30MiBInThePoolAndInTheFile(parentFirst: Bool) throws {
        let fixture = try StoreFixture()
        // The cost of the first layer is not measured.
        try fixture.store.create(LayerID("first"))
        let (fileBefore, poolBefore) = (try fileUse(fixture), try poolUse(fixture.store))
        let (layer, snapshot) = try share30MiB(fixture)
        #expect(try fileUse(fixture) > fileBefore + 30_000)
        for id in parentFirst ? [layer, snapshot] : [snapshot, layer] { try fixture.store.remove(id) }
        #expect(try fileUse(fixture) <= fileBefore + 1024)
        #expect(try poolUse(fixture.store) <= poolBefore)
        try fixture.finish()
    }

    @Test func leavesTheFileAsItIsWithoutDiscards() throws {
        let fixture = try StoreFixture(["dm.blkdiscard=false"])
        let fileBefore = try fileUse(fixture)
        let (layer, snapshot) = try share30MiB(fixture)
        let poolBefore = try poolUse(fixture.store)
        for id in [layer, snapshot] { try fixture.store.remove(id) }
        #expect(try fileUse(fixture) > fileBefore + 30_000)
        #expect(try poolUse(fixture.store) + (29 << 20) < poolBefore)
        try fixture.finish()
    }

    /// While the data of a layer is discarded, no layer is locked, nor the store, and everything else goes on.
    @Test func discardsInTheBackgroundAndLetsOthersWork() throws {
        let fixture = try StoreFixture()
        let (_, snapshot) = try share30MiB(fixture)
        // Something to discard.
        try fixture.store.write("x", to: "own", in: snapshot)
        let store = try fixture.reopened(.inBackground)
        let poolBefore = try poolUse(store)
        let (begun, isReleased) = (Flag(), Flag())
        defer { isReleased.raise() }
        // The command before the discard.
        fixture.transport.interrupt(after: .removeDevice) {
            begun.raise()
            while !isReleased.isRaised { usleep(10_000) }
        }
        try store.remove(snapshot)
        try Patience.until { begun.isRaised }
        #expect(try store.status().deferredDeletions == 1)
        let inode = try Stat(fixture.root.appending("lock")).inode.rawValue
        // The one on this removal.
        #expect(try Shell.run("grep -c ':\(inode) ' /proc/locks || true") == "1")
        for arguments in ["create other --parent layer", "mount other", "unmount other", "info", "remove layer"] {
            #expect(try fixture.run(arguments).status == 0, "\(arguments)")
        }
        isReleased.raise()
        try Patience.until { try store.status().deferredDeletions == 0 }
        #expect(try poolUse(store) <= poolBefore)
        try store.remove(LayerID("other"))
        try Patience.until { try store.status().deferredDeletions == 0 }
        #expect(try store.layers().count == 1)
        try fixture.finish()
    }

    /// An operation that ends a removal has the removed layer's device to itself.
    ///
    /// Otherwise another process could remove the device before it is opened. The next layer's device would then get
    /// its number and the discards.
    @Test func discardsNothingOfALayerThatBecomesActiveMeanwhile() throws {
        let fixture = try StoreFixture()
        let (layer, snapshot) = try share30MiB(fixture)
        let (victim, third) = (try LayerID("victim"), try LayerID("third"))
        try fixture.store.write("own", to: "file", in: snapshot)
        try fixture.store.create(third)
        let other = try fixture.reopened()
        let outcome = Mutex<Result<ActiveSnapshot, any Error>?>(nil)
        // The removed layer's device has been made, and is not open yet.
        fixture.transport.interrupt(after: .suspendDevice) {
            let result = Result {
                try other.remove(third)
                return try other.createSnapshot(
                    victim, parent: layer, size: nil,
                    SnapshotRecord(key: "victim", kind: .active, parent: "", labels: [:], time: 0))
            }
            outcome.withLock { $0 = result }
        }
        try fixture.store.remove(snapshot)
        let result = outcome.withLock { $0 }
        try Shell.run("e2fsck -fn \(try #require(result).get().devicePath)")
        #expect(try fixture.store.status().deferredDeletions == 0)
        try fixture.finish()
    }

    /// A removal that was acknowledged and not ended is ended by the next one to activate the pool.
    @Test func endsRemovalsThatAProcessLeft() throws {
        let fixture = try StoreFixture()
        let (layer, snapshot) = try share30MiB(fixture)
        let before = try poolUse(fixture.store)
        for id in [layer, snapshot] {
            // The message that would delete the thin device does not reach the kernel.
            fixture.transport.fail(.targetMessage, with: .ioError, .before)
            #expect(throws: LayerStoreError.self) { try fixture.store.remove(id) }
        }
        #expect(try fixture.store.layers().count == 1)
        #expect(try fixture.store.status().deferredDeletions == 2)
        try fixture.takeDownAsACrashDoes()
        #expect(try fixture.run("info").output.contains("Deferred Deleted Device Count: 0"))
        #expect(try poolUse(fixture.store) + (29 << 20) < before)
        try fixture.finish()
    }

    /// Layers that are removed, and whose thin devices the pool still has.
    private func leaveUnended(_ names: String..., in fixture: StoreFixture) throws {
        for name in names {
            let id = try LayerID(name)
            try fixture.store.create(id)
            try fixture.store.write("removed", to: "file", in: id)
            // Neither is its data discarded, nor the thin device deleted.
            fixture.transport.fail(.createDevice, with: .ioError, .before)
            fixture.transport.failAlways(.targetMessage, after: 0)
            #expect(throws: LayerStoreError.self) { try fixture.store.remove(id) }
            fixture.transport.disarm()
        }
    }

    /// Between the moment in which a removal is found and the one in which it is ended, somebody else may have ended it,
    /// and a new layer may have got the number.
    @Test func leavesANumberToTheLayerThatHasItAgain() throws {
        let fixture = try StoreFixture()
        try leaveUnended("first", "second", in: fixture)
        try fixture.store.create(LayerID("third"))
        let store = try fixture.reopened(.inBackground)
        let (begun, isReleased) = (Flag(), Flag())
        defer { isReleased.raise() }
        fixture.transport.interrupt(after: .removeDevice) {
            begun.raise()
            while !isReleased.isRaised { usleep(10_000) }
        }
        // It has found all three, and is at work on the first.
        try store.remove(LayerID("third"))
        try Patience.until { begun.isRaised }
        #expect(try fixture.run("trim").output.contains("ended removals: 2"))
        // The mark of a process that died lets the numbers be worked out again.
        try Shell.run(": > '\(fixture.root)/lock'")
        #expect(try fixture.run("create new").status == 0)
        let (new, number) = (try LayerID("new"), try fixture.store.details(of: LayerID("new")).record.deviceID)
        #expect("\(number)" == "3")
        try fixture.store.write("precious", to: "file", in: new)
        isReleased.raise()
        try Patience.until { try store.status().deferredDeletions == 0 }
        #expect(try fixture.store.read("file", in: new) == "precious")
        try fixture.finish()
    }

    @Test func activatesNothingThatWasShutDownMeanwhile() throws {
        let fixture = try StoreFixture()
        let (_, snapshot) = try share30MiB(fixture)
        try fixture.store.write("x", to: "own", in: snapshot)
        let store = try fixture.reopened(.inBackground)
        let (begun, isReleased) = (Flag(), Flag())
        defer { isReleased.raise() }
        fixture.transport.interrupt(after: .removeDevice) {
            begun.raise()
            while !isReleased.isRaised { usleep(10_000) }
        }
        try store.remove(snapshot)
        try Patience.until { begun.isRaised }
        let results = onThreads(2) { thread in
            if thread == 0 { return try fixture.store.shutdown() }
            usleep(500_000)
            isReleased.raise()
        }
        for result in results { try result.get() }
        for _ in 0..<20 {
            #expect(try fixture.devices() == [])
            usleep(100_000)
        }
        #expect(try fixture.run("info").output.contains("Deferred Deleted Device Count: 0"))
        try fixture.finish()
    }

    /// A process that is killed before the device of a removed layer goes away with it leaves the device.
    @Test func endsARemovalWhoseDeviceWasLeft() throws {
        let fixture = try StoreFixture()
        try leaveUnended("layer", in: fixture)
        let pool = try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
        try Shell.run(
            """
            export DM_DISABLE_UDEV=1
            number=$(dmsetup info -c --noheadings -o major,minor --separator : '\(pool)')
            dmsetup create '\(pool.dropLast(4)).removed-2' --table "0 614400 thin $number 2" \
                --uuid "DMLAYER-$(jq -r .store_id '\(fixture.root)/store.json')-2"
            """)
        #expect(try fixture.run("trim").output.contains("ended removals: 1"))
        #expect(try fixture.devices().count == 1)
        try fixture.finish()
    }

    @Test func shutsDownAlthoughARemovalFails() throws {
        let fixture = try StoreFixture()
        try leaveUnended("layer", in: fixture)
        fixture.transport.failAlways(.targetMessage, after: 0)
        try fixture.store.shutdown()
        fixture.transport.disarm()
        #expect(try fixture.devices() == [])
        #expect(try fixture.run("info").output.contains("Deferred Deleted Device Count: 0"))
        try fixture.finish()
    }

    /// Space that the pool freed without a discard is given back, while layers are mounted and written.
    @Test func trimsTheDataFileOfAPoolInUse() throws {
        let fixture = try StoreFixture(["dm.blkdiscard=false"])
        let busy = try LayerID("busy")
        try fixture.store.create(busy)
        let path = try fixture.store.mount(busy)
        // The writer's files have their blocks already.
        try Shell.run("cd '\(path)'; for i in $(seq 40); do head -c 200k /dev/zero > data-$i; done; sync -f .")
        let (layer, snapshot) = try share30MiB(fixture)
        for id in [layer, snapshot] { try fixture.store.remove(id) }
        let fileBefore = try fileUse(fixture)
        let writer = try Shell.run(
            """
            cd '\(path)'
            { for i in $(seq 40); do
                head -c 200k /dev/urandom | dd of=data-$i conv=notrunc,fsync && sha256sum data-$i >> sums
            done; } >/dev/null 2>&1 &
            echo $!
            """)
        let (status, output) = try fixture.run("trim")
        try Shell.run("kill \(writer) || true; while kill -0 \(writer) 2>/dev/null; do sleep 0.05; done")
        #expect(status == 0)
        #expect(output.contains("data file: 3") && output.contains("busy: "), "\(output)")
        #expect(try fileUse(fixture) < fileBefore - 25_000)
        try Shell.run("cd '\(path)' && sha256sum --check --quiet sums")
        #expect(try fixture.run("trim").output.contains("data file") == false)
        try fixture.store.unmount(busy)
        try fixture.finish()
    }

    /// The pool takes a free block between the moment when the trim finds it and the moment when the pool stands still.
    @Test func givesBackWhatIsFreeAroundABlockThatIsTaken() throws {
        let fixture = try StoreFixture(["dm.blkdiscard=false"])
        let store = fixture.store
        let busy = try LayerID("busy")
        try store.create(busy)
        let path = try store.mount(busy)
        let (layer, snapshot) = try share30MiB(fixture)
        for id in [layer, snapshot] { try store.remove(id) }
        let before = (file: try fileUse(fixture), pool: try poolUse(store))
        fixture.transport.interrupt(before: .suspendDevice) {
            do { try Shell.run("head -c 300k /dev/urandom > '\(path)/taken'; sync -f '\(path)'") } catch {
                Issue.record(error)
            }
        }
        _ = try store.trim()
        #expect(try poolUse(store) > before.pool)
        #expect(try fileUse(fixture) < before.file - 29_000)
        #expect(try store.trim().fileBytes == 0)
        try store.unmount(busy)
        try fixture.finish()
    }

    /// A layer that goes away between being found and being trimmed is none of the trim's business.
    @Test func trimsWhileLayersComeAndGo() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        let results = onThreads(4) { thread in
            let id = try LayerID("thread-\(thread)")
            for _ in 0..<8 {
                guard thread > 0 else {
                    _ = try store.trim()
                    continue
                }
                try store.create(id)
                _ = try store.mount(id)
                try store.remove(id)
            }
        }
        for result in results { try result.get() }
        try fixture.finish()
    }

    /// A discard can take longer than an operation waits for the store.
    @Test func endsARemovalWhoseDiscardTookLong() throws {
        let fixture = try StoreFixture()
        let layer = try LayerID("layer")
        try fixture.store.create(layer)
        try fixture.store.write("x", to: "file", in: layer)
        let impatient = try fixture.reopened(patience: .seconds(1))
        let holder = try StoreLock(fixture.root.appending("lock")).open(until: .after(.seconds(5)))
        let hasStore = Flag()
        fixture.transport.interrupt(after: .removeDevice) {
            pause(for: .milliseconds(1200))
            if (try? holder.lock(.store, exclusively: true)) != nil { hasStore.raise() }
        }
        let results = onThreads(2) { number in
            if number == 0 {
                try impatient.remove(layer)
            } else {
                try Patience.until { hasStore.isRaised }
                pause(for: .milliseconds(300))
                holder.close()
            }
        }
        for result in results { _ = try result.get() }
        #expect(try fixture.store.waitingRemovals() == 0)
        try fixture.finish()
    }

    /// A process that was killed while the pool stood still leaves nothing that waits for ever.
    @Test func resumesAPoolThatWasLeftSuspended() throws {
        let fixture = try StoreFixture(["dm.blkdiscard=false"])
        let (layer, snapshot) = try share30MiB(fixture)
        for id in [layer, snapshot] { try fixture.store.remove(id) }
        // Neither of the two that would resume it reaches the kernel.
        fixture.transport.failAlways(.suspendDevice, after: 1)
        _ = try? fixture.store.trim()
        fixture.transport.disarm()
        let pool = try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
        #expect(try Shell.run("dmsetup info -c --noheadings -o suspended '\(pool)'") == "Suspended")
        try fixture.store.create(layer)
        try fixture.store.write("x", to: "file", in: layer)
        #expect(try fixture.run("trim").status == 0)
        try fixture.finish()
    }
}

/// A flag that one thread raises for another.
private final class Flag: Sendable {
    private let value = Atomic(false)

    var isRaised: Bool { value.load(ordering: .sequentiallyConsistent) }

    func raise() { value.store(true, ordering: .sequentiallyConsistent) }
}
