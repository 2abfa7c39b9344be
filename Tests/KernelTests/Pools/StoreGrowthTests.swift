import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Larger layers, and a larger base device.
@Suite(.serialized) struct StoreGrowthTests {
    private func capacity(_ path: FilePath) throws -> Int {
        try #require(Int(try Shell.run("stat -f -c '%b %S' '\(path)' | awk '{ print $1 * $2 }'")))
    }

    @Test(arguments: ["ext4", "xfs"]) func growsALayerWhileItIsWritten(filesystem: String) throws {
        let fixture = try StoreFixture(["dm.fs=\(filesystem)"])
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let path = try fixture.store.mount(id)
        let writer = try Shell.run(
            "{ while :; do head -c 1M /dev/zero > '\(path)/file' && echo x >> '\(path)/count'; done >/dev/null 2>&1 & echo $!; }"
        )
        try fixture.store.resize(id, to: 800 << 20)
        try Shell.run("kill \(writer); while kill -0 \(writer) 2>/dev/null; do sleep 0.05; done")
        #expect(try capacity(path) > 700 << 20)
        try fixture.store.unmount(id)
        // Not mounted.
        try fixture.store.resize(id, to: 900 << 20)
        #expect(try capacity(try fixture.store.mount(id)) > 800 << 20)
        try fixture.store.unmount(id)
        #expect(try fixture.store.details(of: id).record.size == 900 << 20)
        #expect(throws: LayerStoreError.self) { try fixture.store.resize(id, to: 899 << 20) }
        try fixture.store.resize(id, to: 900 << 20)
        try fixture.finish()
    }

    /// Interrupted anywhere, it can be done again.
    @Test(arguments: FaultyTransport.Moment.allCases) func survivesTheFailureOfAnyCommand(
        moment: FaultyTransport.Moment
    ) throws {
        let fixture = try StoreFixture()
        var points = 0
        // Of a layer that is mounted, and of one that is not.
        var hasEnded = [false, false]
        for point in 0..<80 {
            let id = try LayerID("layer-\(point)")
            try fixture.store.create(id)
            if point.isMultiple(of: 2) { _ = try fixture.store.mount(id) }
            fixture.transport.fail(after: point / 2, moment)
            let hasFailed = (try? fixture.store.resize(id, to: 400 << 20)) == nil
            let wasReached = !fixture.transport.isArmed
            fixture.transport.disarm()
            if hasFailed { try fixture.store.resize(id, to: 400 << 20) }
            #expect(try capacity(try fixture.store.mount(id)) > 340 << 20)
            try fixture.store.unmount(id)
            if point.isMultiple(of: 2) { try fixture.store.unmount(id) }
            try fixture.store.remove(id)
            points += wasReached ? 1 : 0
            hasEnded[point % 2] = !wasReached
            if hasEnded == [true, true] { break }
        }
        #expect(points > 4 && hasEnded == [true, true])
        try fixture.finish()
    }

    @Test func growsTheBaseDevice() throws {
        let fixture = try StoreFixture()
        let (old, new) = (try LayerID("old"), try LayerID("new"))
        try fixture.store.create(old)
        let (status, output) = try fixture.run("init --storage-opt dm.basesize=200m")
        #expect(status == 1)
        #expect(output.contains("314572800") && output.contains("209715200"), "\(output)")
        #expect(try fixture.run("init --storage-opt dm.basesize=600m").status == 0)
        #expect(try fixture.run("info").output.contains("Base Device Size: 629.1MB"))
        try fixture.store.create(new)
        #expect(try capacity(try fixture.store.mount(new)) > 500 << 20)
        #expect(try capacity(try fixture.store.mount(old)) < 300 << 20)
        for id in [old, new] { try fixture.store.unmount(id) }
        // A command that is not init says so and changes nothing.
        #expect(try fixture.run("list --storage-opt dm.basesize=700m").status == 1)
        #expect(try fixture.run("resize base 700m").status == 0)
        #expect(try fixture.run("list --storage-opt dm.basesize=700m").status == 0)
        try fixture.finish()
    }
}
