import DeviceMapper
import Glibc
import LayerStore
import LogicalVolumes
import SystemPackage
import TestSupport
import Testing

/// Pools that were renamed, copied or lost their files: their identity decides, and not a name.
@Suite(.serialized) struct StorePoolIdentityTests {
    private let options = ["dm.basesize=300m", "dm.fs=ext4", "dm.min_free_space=1%"]

    @Test func findsItsPoolUnderAnotherName() throws {
        let fixture = try StoreFixture()
        let layer = try LayerID("layer")
        try fixture.store.create(layer)
        let name = try fixture.store.status().poolName
        try Shell.run("dmsetup rename '\(name)' somebody-renamed-it")
        #expect(try fixture.run("info").output.contains("Pool Name: somebody-renamed-it"))
        try fixture.store.write("kept", to: "file", in: layer)
        try fixture.store.create(LayerID("child"), parent: layer)
        let check = try fixture.run("check")
        #expect(check.status == 0, "\(check.output)")
        try fixture.store.shutdown()
        #expect(try Shell.run("dmsetup ls | grep -c somebody || true") == "0")
        #expect(try fixture.store.read("file", in: LayerID("child")) == "kept")
        try fixture.finish()
    }

    @Test func aCopyOfARootDoesNotTakeThePool() throws {
        let fixture = try StoreFixture(rootSize: "2500m")
        try Shell.run("cp -a --sparse=always '\(fixture.root)' '\(fixture.root)-copy'")
        let (status, output) = try DMLayerCommand.runForStatus("--root '\(fixture.root)-copy' info")
        #expect(status == 1 && output.contains("is a copy of the root that the pool is active for"), "\(output)")
        #expect(output.contains("\(fixture.root)/devicemapper/data"), "\(output)")
        try Shell.run("rm -r '\(fixture.root)-copy'")
        try fixture.finish()
    }

    /// The kernel would format a device that begins with zeros, which may be another one than before a restart.
    @Test func makesNoNewPoolWhereLayersAre() throws {
        let fixture = try StoreFixture()
        let layer = try LayerID("layer")
        try fixture.store.create(layer)
        try fixture.store.write("kept", to: "file", in: layer)
        try fixture.store.shutdown()
        let file = "\(fixture.root)/devicemapper/metadata"
        try Shell.run("mv '\(file)' '\(file).kept' && truncate --reference '\(file).kept' '\(file)'")
        for command in ["mount layer", "init", "create other", "check --repair"] {
            let (status, output) = try fixture.run(command)
            #expect(status != 0, "\(output)")
            #expect(command.hasPrefix("check") || output.contains("\(file) has no pool's metadata"), "\(output)")
            #expect(try Shell.run("tr -d '\\0' < '\(file)' | wc -c") == "0", "\(command)")
        }
        try Shell.run("mv '\(file).kept' '\(file)'")
        #expect(try fixture.store.read("file", in: layer) == "kept")
        try fixture.finish()
    }

    @Test func namesADeviceWhoseTableSomebodyReplaced() throws {
        let fixture = try StoreFixture()
        let layer = try LayerID("layer")
        try fixture.store.create(layer)
        _ = try fixture.store.mount(layer)
        let device = try Shell.run("dmsetup ls | awk '/-layer/ { print $1 }'")
        try Shell.run("dmsetup remove --force '\(device)' 2> /dev/null || true")
        let check = try fixture.run("check")
        #expect(
            check.status == 2 && check.output.contains("\(device) has a table of the type “error”"), "\(check.output)")
        try fixture.store.unmount(layer)
        _ = try fixture.store.mount(layer)
        let after = try fixture.run("check")
        #expect(after.status == 0, "\(after.output)")
        try fixture.finish()
    }

    @Test func goesOnWhenItsRootIsRenamed() throws {
        let fixture = try StoreFixture()
        let layer = try LayerID("layer")
        try fixture.store.create(layer)
        _ = try fixture.store.mount(layer)
        let moved = FilePath("\(fixture.root)-moved")
        try Shell.run("mv '\(fixture.root)' '\(moved)'")
        func run(_ command: String) throws -> (status: Int, output: String) {
            try DMLayerCommand.runForStatus("--root '\(moved)' \(command)")
        }
        let check = try run("check")
        #expect(check.status == 0, "\(check.output)")
        #expect(try run("create other").status == 0)
        let shutdown = try run("shutdown")
        #expect(shutdown.status == 0, "\(shutdown.output)")
        try Shell.run("mv '\(moved)' '\(fixture.root)'")
        try fixture.finish()
    }

    @Test func saysThatItsConfigurationIsGone() throws {
        let fixture = try StoreFixture()
        try Shell.run("mv '\(fixture.root)/store.json' '\(fixture.root)/../kept.json'")
        for (command, expected) in [("info", 1), ("shutdown", 1), ("check", 2)] {
            let (status, output) = try fixture.run(command)
            #expect(status == expected && output.contains("Restore that file"), "\(output)")
            #expect(!output.contains("Stop Docker"), "\(output)")
        }
        try Shell.run("mv '\(fixture.root)/../kept.json' '\(fixture.root)/store.json'")
        try fixture.finish()
    }

    // MARK: Pools of others

    @Test(arguments: [true, false]) func findsANamedPoolAfterItWasRenamed(hasUUID: Bool) throws {
        let fixture = try DMFixture()
        let (metadata, data) = (try fixture.disk("m", size: 16 << 20), try fixture.disk("d", size: 1 << 30))
        let table = "0 2097152 thin-pool \(metadata) \(data) 128 0 1 skip_block_zeroing"
        let pool = try fixture.device("pool", table, uuid: hasUUID ? "TEST-\(fixture.prefix)" : nil)
        let root = fixture.scratch.appending("root")
        func initialize(_ name: DeviceName) throws -> LayerStore {
            try LayerStore.initialize(
                root, options: StorageOptions(parsing: options + ["dm.thinpooldev=/dev/mapper/\(name)"]),
                removals: .beforeReturning)
        }
        let layer = try LayerID("layer")
        let first = try initialize(pool.name)
        try first.create(layer)
        try first.write("kept", to: "file", in: layer)
        try first.shutdown()
        let renamed = try fixture.name("renamed")
        try Shell.run("dmsetup rename '\(pool.name)' '\(renamed)'")
        let opened = try LayerStore(opening: root, removals: .beforeReturning)
        if hasUUID {
            #expect(try opened.read("file", in: layer) == "kept")
            // Another device gets the old name: it is not taken for the pool.
            let other = try fixture.device("pool", "0 8 error")
            #expect(try opened.read("file", in: layer) == "kept")
            try fixture.control.removeDevice(.number(other.number))
        } else {
            #expect {
                try opened.mount(layer)
            } throws: {
                ($0 as? LayerStoreError)?.code == .backingStore && "\($0)".contains("dm.thinpooldev=NAME init")
            }
        }
        // A pool that is not the store's is refused, and the name is kept.
        let stranger = try fixture.pool("stranger")
        #expect { try initialize(stranger.name) } throws: { ($0 as? LayerStoreError)?.code == .foreignDevice }
        let again = try initialize(renamed)
        #expect(try again.read("file", in: layer) == "kept")
        try again.shutdown()
        let kept = try LayerStore(opening: root, removals: .beforeReturning)
        #expect(kept.configuration.pool.poolDevice == "/dev/mapper/\(renamed)")
        #expect(try kept.read("file", in: layer) == "kept")
        try kept.shutDownLeavingNothing(at: root)
    }

    /// A logical volume that was activated only to be looked at.
    @Test func leavesAWrongPoolInactive() throws {
        let fixture = try DMFixture()
        let (metadata, data) = (try fixture.disk("m", size: 16 << 20), try fixture.disk("d", size: 1 << 30))
        let pool = try fixture.device("pool", "0 2097152 thin-pool \(metadata) \(data) 128 0 1 skip_block_zeroing")
        let root = fixture.scratch.appending("root")
        let store = try LayerStore.initialize(
            root, options: StorageOptions(parsing: options + ["dm.thinpooldev=/dev/mapper/\(pool.name)"]))
        let disk = try fixture.disk("lvm", size: 512 << 20)
        let group = "test\(UInt32.random(in: 0 ... .max))"
        let volume = ThinPoolVolume(group: group, name: "pool")
        try LVMFolder.use()
        try volume.create(
            on: "/dev/loop\(disk.minor)", overwrites: false,
            layout: ThinPoolLayout(
                dataPercent: 50, metadataPercent: 1, autoextend: AutoextendSettings(threshold: 80, percent: 20)))
        #expect {
            try LayerStore.initialize(root, options: StorageOptions(parsing: ["dm.thinpooldev=\(group)/pool"]))
        } throws: { ($0 as? LayerStoreError)?.code == .foreignDevice }
        #expect(try Shell.run("dmsetup ls | grep -c '\(group)' || true") == "0")
        try store.shutDownLeavingNothing(at: root)
    }

    // MARK: Files that were lost

    @Test(arguments: ["data", "metadata"], [false, true])
    func savesAFileThatWasDeletedUnderThePool(file: String, isReplaced: Bool) throws {
        let fixture = try StoreFixture(["dm.loopdatasize=400m"])
        let (layer, mounted) = (try LayerID("layer"), try LayerID("mounted"))
        for id in [layer, mounted] { try fixture.store.create(id) }
        try fixture.store.write("precious", to: "file", in: layer)
        let place = try fixture.store.mount(mounted)
        try Shell.run("echo also > '\(place)/file'")
        let path = "\(fixture.root)/devicemapper/\(file)"
        try Shell.run(
            "size=$(stat -c %s '\(path)'); rm '\(path)'; \(isReplaced ? "truncate --size=$size '\(path)'" : "true")")
        // Nothing that would destroy it.
        for command in ["shutdown", "trim"] {
            let (status, output) = try fixture.run(command)
            if command == "shutdown" || file == "data" {
                #expect(status == 1 && output.contains("/dev/loop"), "\(command): \(output)")
            }
        }
        #expect(try fixture.run("info").status == 0)
        let status = try fixture.run("pool status").output
        #expect(status.contains(isReplaced ? "another file is at \(path) now" : "\(path) was deleted"), "\(status)")
        let check = try fixture.run("check")
        #expect(check.status == 2 && check.output.contains("iflag=direct"), "\(check.output)")
        #expect(!check.output.contains("from a backup"), "\(check.output)")
        // The steps, as they are printed.
        let steps = try fixture.store.poolReport().problems[0].steps.compactMap(\.command)
        try #require(steps.count == 3)
        for (step, command) in steps.enumerated() {
            let command = step == 0 ? command.replacing("ID", with: "mounted") : command
            let (status, output) = try Shell.runForStatus("dmlayer() { '\(DMLayerCommand.path)' \"$@\"; }\n\(command)")
            #expect(status == 0, "\(command): \(output)")
        }
        #expect(try fixture.store.read("file", in: layer) == "precious")
        #expect(try fixture.store.read("file", in: mounted) == "also")
        let after = try fixture.run("check")
        #expect(after.status == 0, "\(after.output)")
        try fixture.finish()
    }
}
