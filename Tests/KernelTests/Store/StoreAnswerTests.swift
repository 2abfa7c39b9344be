import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Commands that cannot do what was asked for: they say so, and what to do.
@Suite(.serialized) struct StoreAnswerTests {
    /// The kernel labels a file system when it is mounted, and not later.
    @Test func refusesALabelForALayerThatIsMountedWithoutIt() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("layer"))
        #expect(try fixture.run("mount layer").status == 0)
        let (status, output) = try fixture.run("mount layer --label system_u:object_r:svirt_sandbox_file_t:s0")
        #expect(status == 1)
        #expect(output.contains("is mounted without a label") && output.contains("unmount it first"), "\(output)")
        #expect(try fixture.run("mount layer").status == 0)
        try fixture.store.unmount(LayerID("layer"))
        try fixture.finish()
    }

    /// The layer's device would have the name of the pool's.
    @Test func refusesALayerWithTheNameOfThePool() throws {
        let fixture = try StoreFixture()
        let (status, output) = try fixture.run("create pool")
        #expect(status == 1 && output.contains("“pool” cannot be a layer id"), "\(output)")
        #expect(try fixture.run("create pool2").status == 0)
        try fixture.finish()
    }

    @Test func namesTheOptionForAFileSystemThatIsReadOnly() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("layer"))
        try fixture.store.shutdown()
        try Shell.run("mount -o remount,ro '\(fixture.scratch.path)/fs'")
        for arguments in ["mount layer", "create other"] {
            let (status, output) = try fixture.run(arguments)
            #expect(status == 1 && output.contains("give --read-only"), "\(output)")
        }
        let (status, output) = try fixture.run("--read-only mount layer")
        #expect(status == 0, "\(output)")
        #expect(try fixture.run("--read-only shutdown").status == 0)
        try Shell.run("mount -o remount,rw '\(fixture.scratch.path)/fs'")
        try fixture.finish()
    }

    @Test func refusesInitForLookingOnly() throws {
        let scratch = try ScratchDirectory()
        let answer = try DMLayerCommand.runForStatus("--root '\(scratch.path)/root' --read-only init")
        #expect(answer.status == 64 && answer.output.contains("only look"), "\(answer)")
        #expect(try Shell.run("ls '\(scratch.path)'") == "")
    }

    /// lvm2 puts a device on top of a pool that has thin volumes, and people name that one.
    @Test func findsThePoolBelowLVM2sOwnDevice() throws {
        let fixture = try DMFixture()
        let (metadata, data) = (
            try fixture.disk("meta-file", size: 16 << 20), try fixture.disk("data-file", size: 1 << 30)
        )
        let uuid = "LVM-" + String(repeating: "x", count: 64)
        let pool = try fixture.device(
            "p-tpool", "0 2097152 thin-pool \(metadata) \(data) 128 0 1 skip_block_zeroing", uuid: uuid + "-tpool")
        let top = try fixture.device("p", "0 2097152 linear \(pool.number) 0", uuid: uuid)
        let root = fixture.scratch.appending("root")
        let options = ["dm.basesize=300m", "dm.fs=ext4", "dm.min_free_space=1%", "dm.thinpooldev=\(top.name)"]
        let store = try LayerStore.initialize(root, options: StorageOptions(parsing: options))
        try store.create(LayerID("layer"))
        try store.write("kept", to: "file", in: LayerID("layer"))
        try store.shutdown()
        // Without the device on top, too.
        try fixture.control.removeDevice(.name(top.name))
        #expect(try store.read("file", in: LayerID("layer")) == "kept")
        try store.shutDownLeavingNothing(at: root)
        try fixture.control.removeDevice(.name(pool.name))
    }

    /// Docker's configuration leads to Docker's root.
    @Test func makesItsStoreWhereDockerWouldHaveIt() throws {
        let scratch = try ScratchDirectory()
        let file = scratch.appending("daemon.json")
        let options = StoreFixture.options.map { "\"\($0)\"" }.joined(separator: ", ")
        try Shell.run(
            """
            cat > '\(file)' <<'END'
            {"data-root": "\(scratch.path)/docker", "storage-opts": [\(options)], "live-restore": true, "colour": "red"}
            END
            """)
        let (status, output) = try DMLayerCommand.runForStatus("--config '\(file)' init")
        #expect(status == 0 && output.contains("“colour” in \(file) means nothing"), "\(output)")
        #expect(scratch.appending("docker/devicemapper/store.json").exists)
        #expect(try DMLayerCommand.runForStatus("--config '\(file)' shutdown").status == 0)
    }
}
