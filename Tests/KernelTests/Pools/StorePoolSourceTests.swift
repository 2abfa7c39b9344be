import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Pools on block devices, and pools that somebody else made.
@Suite(.serialized) struct StorePoolSourceTests {
    private let small = ["dm.basesize=300m", "dm.fs=ext4", "dm.min_free_space=1%"]

    @Test func makesItsPoolOnBlockDevices() throws {
        let fixture = try DMFixture()
        let data = try fixture.device("data", "0 2097152 linear \(fixture.disk("data-file", size: 1 << 30)) 0").number
        let metadata = try fixture.device("meta", "0 32768 linear \(fixture.disk("meta-file", size: 16 << 20)) 0")
            .number
        let root = fixture.scratch.appending("root")
        let options = small + ["dm.datadev=/dev/dm-\(data.minor)", "dm.metadatadev=/dev/dm-\(metadata.minor)"]
        let store = try LayerStore.initialize(root, options: StorageOptions(parsing: options))
        try store.create(LayerID("layer"))
        try store.write("kept", to: "file", in: LayerID("layer"))
        // A second store on the same devices would destroy the first.
        #expect {
            try LayerStore.initialize(fixture.scratch.appending("other"), options: StorageOptions(parsing: options))
        } throws: { ($0 as? LayerStoreError)?.code == .backingStore }
        try store.shutdown()
        #expect(try store.read("file", in: LayerID("layer")) == "kept")
        #expect(try store.status().rows.contains { $0.name == "Data file" && $0.value == "/dev/dm-\(data.minor)" })
        #expect(try Shell.run("ls '\(root)/devicemapper'") == "")
        try store.shutDownLeavingNothing(at: root)
        try fixture.control.removeDevice(.number(data))
        try fixture.control.removeDevice(.number(metadata))
    }

    @Test func usesAPoolOfSomebodyElse() throws {
        let fixture = try DMFixture()
        let metadata = try fixture.disk("pool-metadata", size: 16 << 20)
        let data = try fixture.disk("pool-data", size: 1 << 30)
        let pool = try fixture.device("pool", "0 2097152 thin-pool \(metadata) \(data) 256 0 1 skip_block_zeroing")
        let root = fixture.scratch.appending("root")
        let name = "/dev/mapper/\(pool.name)"
        let store = try LayerStore.initialize(
            root, options: StorageOptions(parsing: small + ["dm.thinpooldev=\(name)"]))
        try store.create(LayerID("layer"))
        try store.write("kept", to: "file", in: LayerID("layer"))
        try store.shutdown()
        // It is not ours to take down.
        #expect(try fixture.control.information(on: .name(pool.name)).openCount == 0)
        #expect(try store.read("file", in: LayerID("layer")) == "kept")
        #expect(try store.status().rows.allSatisfy { $0.name != "Data file" && $0.name != "Data loop file" })
        #expect(try store.status().blockSize == 256 * 512)
        // Another store does not take over what is in use.
        #expect {
            try LayerStore.initialize(
                fixture.scratch.appending("other"),
                options: StorageOptions(parsing: small + ["dm.thinpooldev=/dev/dm-\(pool.number.minor)"]))
        } throws: {
            ($0 as? LayerStoreError)?.code == .foreignDevice
        }
        #expect {
            try LayerStore.initialize(
                fixture.scratch.appending("third"), options: StorageOptions(parsing: small + ["dm.thinpooldev=nowhere"])
            )
        } throws: {
            ($0 as? LayerStoreError)?.code == .backingStore
        }
        try store.shutDownLeavingNothing(at: root)
    }
}
