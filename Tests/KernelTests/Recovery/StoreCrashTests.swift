import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Interruptions: what was acknowledged is there, and nothing else is left.
@Suite(.serialized) struct StoreCrashTests {
    /// One operation of a store that has a layer `parent` and a copy of it, `victim`, which has a file more.
    enum Operation: String, CaseIterable {
        case create, createFromMounted, createLarger, mount, unmount, remove, removeMounted
        case activate, shutdown, trim, compare, export, apply

        /// Makes what the operation needs.
        func prepare(_ store: LayerStore) throws {
            let (parent, victim) = (try LayerID("parent"), try LayerID("victim"))
            if try !store.layers().contains(where: { if case .layer(victim, _) = $0 { true } else { false } }) {
                try store.create(victim, parent: parent)
                try store.write("victim", to: "new", in: victim)
            }
            switch self {
            case .createFromMounted, .unmount: _ = try store.mount(parent)
            case .removeMounted, .shutdown, .trim: _ = try store.mount(victim)
            case .activate: try store.shutdown()
            default: break
            }
        }

        func run(_ store: LayerStore, archive: FilePath) throws {
            let (parent, victim, new) = (try LayerID("parent"), try LayerID("victim"), try LayerID("new"))
            switch self {
            case .create, .createFromMounted: try store.create(new, parent: parent)
            case .createLarger: try store.create(new, parent: parent, size: 320 << 20)
            case .mount: _ = try store.mount(victim)
            case .unmount: try store.unmount(parent)
            case .remove, .removeMounted: try store.remove(victim)
            case .activate: _ = try store.status()
            case .shutdown: try store.shutdown()
            case .trim: _ = try store.trim()
            case .compare: #expect(try store.changes(of: victim).count == 1)
            case .export:
                let output = try FileDescriptor.open(FilePath("/dev/null"), .writeOnly)
                _ = try output.closeAfter { try store.exportChanges(of: victim, to: output) }
            case .apply:
                let input = try FileDescriptor.open(archive, .readOnly)
                _ = try input.closeAfter { try store.apply(input, to: victim) }
            }
        }

        /// Proves that it has happened, and undoes what `prepare` and it did.
        func verify(_ store: LayerStore) throws {
            let (parent, victim, new) = (try LayerID("parent"), try LayerID("victim"), try LayerID("new"))
            switch self {
            case .create, .createFromMounted, .createLarger:
                try store.unmount(parent)
                #expect(try store.read("file", in: new) == "parent")
                try store.remove(new)
            case .mount:
                #expect(try Shell.run("cat '\(try store.mount(victim))/file'") == "parent")
                try store.shutdown()
            case .unmount:
                #expect(try store.details(of: parent).mountPath == nil)
            case .remove, .removeMounted:
                #expect(throws: LayerStoreError.self) { try store.details(of: victim) }
            case .activate, .compare, .export, .shutdown:
                break
            case .trim:
                try store.unmount(victim)
            case .apply:
                #expect(try store.read("applied", in: victim) == "applied")
            }
        }
    }

    /// Fails every command of every operation, before and after it took effect: afterwards the operation either has
    /// happened or can be done again, and nothing is lost, leaked or left suspended.
    @Test(arguments: Operation.allCases, FaultyTransport.Moment.allCases)
    func survivesTheFailureOfAnyCommand(operation: Operation, moment: FaultyTransport.Moment) throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        let parent = try LayerID("parent")
        let archive = fixture.scratch.appending("archive")
        try Shell.run("cd '\(fixture.scratch.path)' && printf applied > applied && tar -cf archive applied")
        try store.create(parent)
        try store.write("parent", to: "file", in: parent)
        var points = 0
        for point in 0..<100 {
            try operation.prepare(store)
            fixture.transport.fail(after: point, moment)
            let failure: (any Error)? = Result { try operation.run(store, archive: archive) }.failure
            let wasReached = !fixture.transport.isArmed
            fixture.transport.disarm()
            // The operation can be done again.
            if failure != nil { try operation.run(store, archive: archive) }
            try operation.verify(store)
            #expect(try store.read("file", in: parent) == "parent")
            #expect(try fixture.devices().filter { !$0.hasSuffix("-pool") } == [], "point \(point)")
            if failure == nil, !wasReached {
                points = point
                break
            }
        }
        #expect(points > 0)
        // For the figures in the README.
        print("fault sweep: \(operation), \(moment): \(points) commands")
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
        // The next one who makes a layer and is alone with the store recovers. Until then the parent stays frozen, if the
        // last one was killed while it copied it.
        try fixture.store.create(LayerID("after"))
        try Shell.run("timeout 20 touch '\(fixture.root)/mnt/parent/rootfs/writable'")
        try fixture.store.unmount(LayerID("parent"))
        try fixture.finish()
    }
}

extension Result where Failure == any Error {
    fileprivate var failure: (any Error)? {
        if case .failure(let error) = self { error } else { nil }
    }
}
