import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Interruptions: what was acknowledged is there, and nothing else is left.
@Suite(.serialized) struct StoreCrashTests {
    /// One operation of a store, in a fresh one that has a layer `parent`, mounted or not, and a layer `victim`.
    enum Operation: String, CaseIterable {
        case create, createFromMounted, createLarger, mount, unmount, remove

        func run(_ store: LayerStore) throws {
            let (parent, victim, new) = (try LayerID("parent"), try LayerID("victim"), try LayerID("new"))
            switch self {
            case .create, .createFromMounted: try store.create(new, parent: parent)
            case .createLarger: try store.create(new, parent: parent, size: 320 << 20)
            case .mount: _ = try store.mount(victim)
            case .unmount: try store.unmount(parent)
            case .remove: try store.remove(victim)
            }
        }
    }

    /// Fails every command of every operation, before and after it took effect: afterwards the operation either has
    /// happened or can be done again, and nothing is lost, leaked or left suspended.
    @Test(arguments: Operation.allCases, FaultyTransport.Moment.allCases)
    func survivesTheFailureOfAnyCommand(operation: Operation, moment: FaultyTransport.Moment) throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        let (parent, victim, new) = (try LayerID("parent"), try LayerID("victim"), try LayerID("new"))
        try store.create(parent)
        try store.write("parent", to: "file", in: parent)
        var points = 0
        for point in 0..<100 {
            if try store.layers().allSatisfy({ if case .layer(victim, _) = $0 { false } else { true } }) {
                try store.create(victim, parent: parent)
            }
            if operation == .createFromMounted || operation == .unmount { _ = try store.mount(parent) }
            fixture.transport.fail(after: point, moment)
            let failure: (any Error)? = Result { try operation.run(store) }.failure
            let wasReached = !fixture.transport.isArmed
            fixture.transport.disarm()
            if failure == nil, !wasReached {
                points = point
                try? store.unmount(parent)
                try? store.unmount(victim)
                break
            }
            // The operation can be done again, or has been done.
            switch operation {
            case .create, .createFromMounted, .createLarger:
                if failure != nil { try operation.run(store) }
                try store.unmount(parent)
                #expect(try store.read("file", in: new) == "parent")
                try store.remove(new)
            case .mount:
                #expect(try Shell.run("cat '\(try store.mount(victim))/file'") == "parent")
                try store.shutdown()
            case .unmount:
                try store.shutdown()
                #expect(try store.details(of: parent).mountPath == nil)
            case .remove:
                try store.remove(victim)
            }
            #expect(try store.read("file", in: parent) == "parent")
            #expect(try fixture.devices().filter { !$0.hasSuffix("-pool") } == [], "point \(point)")
        }
        #expect(points > 0)
        try fixture.finish()
    }

    /// Kills the command at many moments while it makes layers.
    @Test func cleansUpBehindACommandThatWasKilled() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("parent"))
        _ = try fixture.store.mount(LayerID("parent"))
        for delay in 0..<30 {
            try Shell.run(
                """
                '\(DMLayerCommand.path)' --root '\(fixture.root)' create layer-\(delay) --parent parent &
                sleep 0.\(100 + delay * 10)
                kill -9 $! 2>/dev/null || true
                """)
        }
        try Shell.run("timeout 20 touch '\(fixture.root)/mnt/parent/rootfs/writable'")
        // The next one to be alone with the store recovers.
        _ = try fixture.run("info")
        try fixture.store.unmount(LayerID("parent"))
        try fixture.store.create(LayerID("after"))
        try fixture.finish()
    }
}

extension Result where Failure == any Error {
    fileprivate var failure: (any Error)? {
        if case .failure(let error) = self { error } else { nil }
    }
}
