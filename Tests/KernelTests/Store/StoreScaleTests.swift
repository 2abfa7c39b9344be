import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Many layers, and many at work.
@Suite(.serialized) struct StoreScaleTests {
    @Test(arguments: ["chain", "siblings"]) func makesAndRemovesAThousandLayers(shape: String) throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        let before = try store.status().data.used
        let ids = try (0..<1000).map { try LayerID("layer-\($0)") }
        for (index, id) in ids.enumerated() {
            try store.create(id, parent: shape == "chain" && index > 0 ? ids[index - 1] : nil)
        }
        #expect(try store.layers().count == 1001)
        try store.write("x", to: "file", in: ids[999])
        #expect(try store.read("file", in: ids[999]) == "x")
        for id in ids { try store.remove(id) }
        // A restart commits and so makes the figure exact.
        try store.shutdown()
        #expect(try store.status().data.used == before)
        try fixture.finish()
    }

    @Test func worksOnManyLayersAtTheSameTime() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        try store.create(LayerID("parent"))
        let results = onThreads(8) { thread in
            let id = try LayerID("thread-\(thread)")
            for round in 0..<5 {
                try store.create(id, parent: LayerID("parent"))
                try store.write("\(thread).\(round)", to: "file", in: id)
                guard try store.read("file", in: id) == "\(thread).\(round)" else { throw Errno.ioError }
                try store.remove(id)
            }
        }
        for result in results { try result.get() }
        #expect(try store.layers().count == 2)
        try fixture.finish()
    }

    /// The parent is suspended for each copy, by one at a time, and never left so.
    @Test func copiesAMountedLayerManyTimesAtOnce() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        let parent = try LayerID("parent")
        try store.create(parent)
        let content = try store.mount(parent)
        let results = onThreads(8) { thread in
            for round in 0..<3 {
                try Shell.run("echo \(round) > '\(content)/\(thread)'; sync -f '\(content)'")
                try store.create(LayerID("copy-\(thread)-\(round)"), parent: parent)
            }
        }
        for result in results { try result.get() }
        #expect(try !Control().devices().contains { try Control().information(on: .number($0.number)).isSuspended })
        for thread in 0..<8 { #expect(try store.read("\(thread)", in: LayerID("copy-\(thread)-1")) == "1") }
        try store.unmount(parent)
        try fixture.finish()
    }

    @Test func worksFromManyProcesses() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("parent"))
        let program = "'\(DMLayerCommand.path)' --root '\(fixture.root)'"
        try Shell.run(
            """
            for process in 1 2 3 4 5 6; do
                (set -e
                for round in 1 2 3; do
                    \(program) create layer-$process-$round --parent parent
                    echo $round > $(\(program) mount layer-$process-$round)/file
                    \(program) unmount layer-$process-$round
                done
                \(program) remove layer-$process-1) || touch '\(fixture.scratch.path)/failed' &
            done
            wait
            test ! -e '\(fixture.scratch.path)/failed'
            """)
        #expect(try fixture.store.layers().count == 2 + 12)
        #expect(try fixture.store.read("file", in: LayerID("layer-4-3")) == "3")
        try fixture.finish()
    }
}
