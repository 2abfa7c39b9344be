import ContainerdSnapshotter
import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// The cost of snapshots in commands to the kernel, and their state after failures.
@Suite(.serialized) struct SnapshotterLifeTests {
    @Test func makesASnapshotWithNothingButWhatItTakes() throws {
        let fixture = try SnapshotterFixture()
        try fixture.commit("layer")
        let transport = fixture.base.transport
        transport.forget()
        _ = try fixture.snapshotter.prepare("container", parent: "layer", kind: .active, labels: [:])
        // One snapshot and one activation; what only asks costs no commit. Nothing is mounted, and nothing suspended.
        #expect(transport.commands.filter { $0 == .targetMessage }.count == 1)
        #expect(transport.commands.filter { $0 == .createDevice }.count == 1)
        #expect(transport.commands.filter { $0 == .loadTable }.count == 1)
        #expect(transport.commands.filter { $0 == .suspendDevice }.count == 1)
        #expect(!transport.commands.contains(.removeDevice))
        transport.forget()
        let mounts = try fixture.snapshotter.mounts("container")
        #expect(transport.commands == [.deviceStatus])
        // A device that a dead process left suspended cannot be mounted as it is.
        let device = try #require(try fixture.base.devices().first { $0.contains("-snapshot-") })
        try Shell.run("dmsetup suspend '\(device)'")
        #expect(try fixture.snapshotter.mounts("container") == mounts)
        #expect(try fixture.base.suspendedDevices().isEmpty)
        transport.forget()
        try fixture.commit("container", as: "second")
        #expect(!transport.commands.contains(.targetMessage))
        #expect(!transport.commands.contains(.suspendDevice))
        for key in ["second", "layer"] {
            _ = try fixture.snapshotter.stat(key)
            transport.forget()
            _ = try fixture.snapshotter.usage(key)
            _ = try fixture.snapshotter.list()
            #expect(transport.commands.isEmpty)
        }
        try fixture.finish()
    }

    @Test func goesOnAfterARestart() throws {
        let base = try StoreFixture()
        var first: Snapshotter? = try Snapshotter(base.reopened())
        _ = try first?.prepare("layer work", parent: "", kind: .active, labels: [:])
        try first?.commit("layer work", as: "layer", labels: ["a": "1"])
        _ = try first?.prepare("container", parent: "layer", kind: .active, labels: [:])
        let snapshots = try first?.list()

        // Nobody else serves or takes them meanwhile.
        #expect(throws: LayerStoreError.self) { try Snapshotter(base.reopened()) }
        #expect(throws: LayerStoreError.self) { try base.store.shutdown() }
        for case .layer(let id, let record) in try base.store.layers() where record.snapshot != nil {
            let error = #expect(throws: LayerStoreError.self) { try base.store.remove(id) }
            #expect(error?.code == .busy)
        }
        first = nil

        // The machine is started again.
        try base.takeDownAsACrashDoes()
        let second = try Snapshotter(base.reopened())
        #expect(try second.list() == snapshots)
        let mounts = try second.mounts("container")
        try Shell.run("test -b \(mounts[0].source)")
        #expect(throws: SnapshotterError.self) { try second.remove("layer") }
        try second.remove("container")
        try second.remove("layer")
        #expect(second.count == 0)
    }

    /// The device of what was committed goes behind the call, and one that was left when the service died with the next.
    @Test func takesDownWhatWasCommitted() throws {
        let base = try StoreFixture()
        var first: Snapshotter? = try Snapshotter(base.reopened())
        func active() throws -> Int { try base.devices().filter { $0.contains("-snapshot-") }.count }
        for name in ["layer", "left"] {
            _ = try first?.prepare("\(name) work", parent: "", kind: .active, labels: [:])
            if name == "left" { base.transport.fail(.removeDevice, with: .ioError, .before) }
            try first?.commit("\(name) work", as: name, labels: [:])
            if name == "layer" { try Patience.until { try active() == 0 } }
        }
        #expect(!base.transport.isArmed)
        #expect(try active() == 1)
        _ = try first?.prepare("kept", parent: "layer", kind: .active, labels: [:])
        first = nil
        var second: Snapshotter? = try Snapshotter(base.reopened())
        try Patience.until { try active() == 1 }
        for key in ["kept", "left", "layer"] { try second?.remove(key) }
        second = nil
        try base.finish()
    }

    @Test func worksOnManyAtATime() throws {
        let fixture = try SnapshotterFixture()
        let snapshotter = fixture.snapshotter
        try fixture.commit("layer")
        let results = onThreads(8) { thread in
            for number in 0..<6 {
                let key = "\(thread)/\(number)"
                _ = try snapshotter.prepare(key, parent: "layer", kind: .active, labels: [:])
                switch number % 3 {
                case 0: try snapshotter.remove(key)
                case 1: try snapshotter.commit(key, as: "layer \(key)", labels: [:])
                default: _ = try snapshotter.mounts(key)
                }
            }
        }
        for result in results { try result.get() }
        #expect(snapshotter.count == 1 + 8 * 4)

        // Of all who want one key, one gets it.
        let same = onThreads(8) { _ in
            try snapshotter.prepare("same", parent: "layer", kind: .active, labels: [:])
        }
        #expect(same.filter { (try? $0.get()) != nil }.count == 1)
        for snapshot in try snapshotter.list() where snapshot.key != "layer" { try snapshotter.remove(snapshot.key) }
        try snapshotter.remove("layer")
        try fixture.finish()
    }

    enum Operation: String, CaseIterable {
        case prepare, commit, commitMounted, remove
    }

    /// Fails every command of every operation: afterwards it can be done again, and nothing is lost or leaked.
    @Test(arguments: Operation.allCases, FaultyTransport.Moment.allCases)
    func survivesTheFailureOfAnyCommand(operation: Operation, moment: FaultyTransport.Moment) throws {
        let fixture = try SnapshotterFixture()
        let (snapshotter, transport) = (fixture.snapshotter, fixture.base.transport)
        try fixture.commit("layer")
        var points = 0
        for point in 0..<100 {
            var mounts: [SnapshotMount] = []
            if operation != .prepare {
                mounts = try snapshotter.prepare("victim", parent: "layer", kind: .active, labels: [:])
            }
            func perform() throws {
                switch operation {
                case .prepare:
                    mounts = try snapshotter.prepare("victim", parent: "layer", kind: .active, labels: [:])
                case .commit, .commitMounted: try snapshotter.commit("victim", as: "done", labels: [:])
                case .remove: try snapshotter.remove("victim")
                }
            }
            func attempt() throws -> Bool {
                transport.fail(after: point, moment)
                let isDone = (try? perform()) != nil
                let wasReached = !transport.isArmed
                transport.disarm()
                if !isDone { try perform() }
                return wasReached
            }
            let wasReached: Bool
            if operation == .commitMounted {
                wasReached = try fixture.mounted(mounts) { path in
                    let wasReached = try attempt()
                    try Shell.run("timeout 20 touch '\(path)/writable'")
                    return wasReached
                }
            } else {
                wasReached = try attempt()
            }
            if operation == .prepare {
                try fixture.mounted(mounts) { _ = try Shell.run("touch '\($0)/file'") }
            }
            if operation != .remove { try snapshotter.remove(operation.rawValue.hasPrefix("c") ? "done" : "victim") }
            #expect(try snapshotter.list().map(\.key) == ["layer"])
            if !wasReached {
                points = point
                break
            }
        }
        #expect(points > 0)
        try fixture.finish()
    }
}
