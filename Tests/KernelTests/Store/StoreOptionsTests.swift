import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Options that a store keeps, and what they do to mounts.
@Suite(.serialized) struct StoreOptionsTests {
    @Test func keepsWhatInitSaysAndTakesTheRestForOneCommand() throws {
        let fixture = try StoreFixture()
        func minimum(_ arguments: String) throws -> String {
            try fixture.run(arguments).output.split(separator: "\n").first { $0.hasPrefix("Thin Pool Minimum") }
                .map(String.init) ?? ""
        }
        #expect(try minimum("info") == "Thin Pool Minimum Free Space: 10.68MB")
        #expect(try minimum("info --storage-opt dm.min_free_space=20%") == "Thin Pool Minimum Free Space: 214.7MB")
        #expect(try minimum("info") == "Thin Pool Minimum Free Space: 10.68MB")
        #expect(try fixture.run("init --storage-opt dm.min_free_space=20%").status == 0)
        #expect(try minimum("info") == "Thin Pool Minimum Free Space: 214.7MB")

        let info = try fixture.run("info --storage-opt dm.use_deferred_removal=false").output
        #expect(info.contains("Deferred Removal Enabled: false\nDeferred Deletion Enabled: false"))
        let (status, output) = try fixture.run("list --storage-opt dm.libdm_log_level=7")
        #expect(status == 0)
        #expect(output.contains("dm.libdm_log_level=7 has no effect"), "\(output)")
        try fixture.finish()
    }

    /// The command's options come behind those of Docker's configuration file, and are refused in the same words.
    @Test func readsTheOptionsOfAConfigurationFile() throws {
        let fixture = try StoreFixture()
        let file = fixture.scratch.appending("daemon.json")
        func write(_ text: String) throws { try Shell.run("cat > '\(file)' <<'END'\n\(text)\nEND") }
        try write(#"{"storage-driver": "devicemapper", "storage-opts": ["dm.min_free_space=20%", "dm.fs=ext4"]}"#)
        #expect(try fixture.run("info --config '\(file)'").output.contains("Minimum Free Space: 214.7MB"))
        let both = try fixture.run("info --config '\(file)' --storage-opt dm.min_free_space=10%").output
        #expect(both.contains("Minimum Free Space: 107.3MB"), "\(both)")
        let cases = [
            (#"{"storage-opts": ["dm.fs=btrfs"]}"#, "dm.fs=btrfs is not allowed: it is ext4 or xfs"),
            (#"{"storage-opts": ["dm.blocksize=128k"]}"#, "dm.blocksize=131072 was given"),
            (#"{"storage-opts": ["dm.fs"]}"#, "“dm.fs” is not of the form key=value"),
            ("{\n\"storage-opts\": [dm.fs=xfs]\n}", "\(file) cannot be understood: it is no JSON at line 2, column 18"),
        ]
        for (text, message) in cases {
            try write(text)
            let (status, output) = try fixture.run("list --config '\(file)'")
            #expect(status == 1)
            #expect(output.contains(message), "\(output)")
        }
        let (status, output) = try fixture.run("list --storage-opt dm.min_free_space=10")
        #expect(status == 1)
        #expect(output.contains("dm.min_free_space=10 is not allowed"), "\(output)")
        try fixture.finish()
    }

    @Test func givesLayersToTheirOwner() throws {
        let scratch = try ScratchDirectory()
        let root = scratch.appending("root")
        let store = try LayerStore.initialize(
            root, options: StorageOptions(parsing: StoreFixture.options), owner: LayerOwner("100000:100001"))
        try store.create(LayerID("layer"))
        let path = try store.mount(LayerID("layer"))
        #expect(try Shell.run("stat -c %u:%g '\(path)'") == "100000:100001")
        // A user who owned these could make root follow a link. The container passes through the root by its group.
        #expect(try Shell.run("stat -c %u:%g:%a '\(root)'") == "0:100001:710")
        #expect(try Shell.run("stat -c %u:%g:%a '\(root)/mnt'") == "0:0:755")
        try Shell.run("chmod 755 '\(scratch.path)'")
        #expect(
            try Shell.runForStatus("setpriv --reuid 100000 --regid 100001 --clear-groups ls '\(path)'").status == 0)
        #expect(try Shell.run("stat -c %a '\(path)'") == "755")
        try store.unmount(LayerID("layer"))
        try store.shutDownLeavingNothing(at: root)
    }

    /// Without it, processes on a full pool wait for ever.
    @Test func limitsHowOftenXFSRetries() throws {
        let fixture = try StoreFixture(["dm.fs=xfs"])
        let id = try LayerID("layer")
        try fixture.store.create(id)
        for (options, retries) in [("", "0"), ("--storage-opt dm.xfs_nospace_max_retries=7", "7")] {
            #expect(try fixture.run("mount layer \(options)").status == 0)
            let device = try #require(try fixture.store.details(of: id).devicePath?.lastComponent)
            #expect(try Shell.run("cat /sys/fs/xfs/\(device)/error/metadata/ENOSPC/max_retries") == retries)
            try fixture.store.unmount(id)
        }
        try fixture.finish()
    }

    /// The label reaches the kernel as one option, commas included.
    @Test func labelsALayer() throws {
        let fixture = try StoreFixture(["dm.mountopt=noatime"])
        try fixture.store.create(LayerID("layer"))
        let trace = fixture.scratch.appending("trace")
        let label = "system_u:object_r:svirt_sandbox_file_t:s0:c1,c2"
        _ = try Shell.runForStatus(
            """
            strace -f -s 200 -o '\(trace)' -e trace=mount '\(DMLayerCommand.path)' --root '\(fixture.root)' mount layer \
                --label '\(label)'
            """)
        #expect(try Shell.run("cat '\(trace)'").contains(#"MS_NOATIME, "context=\"\#(label)\"""#))
        let (status, output) = try fixture.run(#"mount layer --label 'a",ro,b="'"#)
        #expect(status == 1)
        #expect(output.contains("is no SELinux label"), "\(output)")
        try fixture.finish()
    }

    /// Without a size, Linux 6.14 and later would choose that of the disk below.
    @Test func asksForLoopDevicesWithBlocksOf512Bytes() throws {
        let fixture = try StoreFixture()
        try fixture.store.shutdown()
        let trace = fixture.scratch.appending("trace")
        try Shell.run(
            "strace -f -o '\(trace)' -e trace=ioctl '\(DMLayerCommand.path)' --root '\(fixture.root)' create layer")
        let calls = try Shell.run("grep LOOP_CONFIGURE '\(trace)'").split(separator: "\n")
        #expect(calls.count == 2)
        #expect(calls.allSatisfy { $0.contains("block_size=512, ") }, "\(calls)")
        try fixture.finish()
    }

    /// A program that another thread starts at the same time must not inherit the pipe, and keep its reader waiting.
    @Test func readsTheOutputOfMkfsFromAPipeOfItsOwn() throws {
        let fixture = try StoreFixture()
        let trace = fixture.scratch.appending("trace")
        let options = StoreFixture.options.map { "--storage-opt \($0)" }.joined(separator: " ")
        let root = fixture.scratch.appending("other")
        let command = "'\(DMLayerCommand.path)' --root '\(root)' \(options)"
        try Shell.run("strace -o '\(trace)' -e trace=pipe,pipe2 \(command) init && \(command) shutdown")
        let calls = try Shell.run("grep '^pipe' '\(trace)'").split(separator: "\n")
        #expect(!calls.isEmpty)
        #expect(calls.allSatisfy { $0.hasPrefix("pipe2(") && $0.contains("O_CLOEXEC") }, "\(calls)")
        try fixture.finish()
    }

    /// The pool's base device tells whether it is the one that the layers are in.
    @Test func refusesAnotherPool() throws {
        let fixture = try DMFixture()
        let pools = try ["one", "two"].map { name in
            let metadata = try fixture.disk("\(name)-metadata", size: 16 << 20)
            let data = try fixture.disk("\(name)-data", size: 1 << 30)
            return try fixture.device(name, "0 2097152 thin-pool \(metadata) \(data) 128 0 1 skip_block_zeroing")
        }
        let roots = ["a", "b"].map { fixture.scratch.appending($0) }
        for (root, pool) in zip(roots, pools) {
            let options = StoreFixture.options.filter { !$0.contains("loop") } + ["dm.thinpooldev=\(pool.name)"]
            let store = try LayerStore.initialize(root, options: StorageOptions(parsing: options))
            try store.create(LayerID("layer"))
        }
        try Shell.run(
            "sed -i 's/\(pools[0].name)/\(pools[1].name)/' '\(roots[0])/store.json'; : > '\(roots[0])/lock'")
        #expect {
            _ = try LayerStore(opening: roots[0]).mount(LayerID("layer"))
        } throws: {
            ($0 as? LayerStoreError)?.code == .foreignDevice && "\($0)".contains("has a file system with the UUID")
        }
        let second = try LayerStore(opening: roots[1])
        #expect(try second.details(of: LayerID("layer")).mountPath == nil)
        try second.shutDownLeavingNothing(at: roots[1])
    }
}
