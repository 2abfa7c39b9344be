import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Known failures of Docker's driver, provoked on purpose.
///
/// `docs/failures.md` has the whole list, and the tests of those that are elsewhere.
@Suite(.serialized) struct KnownFailureTests {
    // MARK: 1. Device is busy

    @Test func namesAProcessInAnotherNamespace() throws {
        let fixture = try StoreFixture(["dm.use_deferred_removal=false"])
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let path = try fixture.store.mount(id)
        let process = try Shell.run(
            "unshare --mount --propagation private sh -c 'cd \"\(path)\" && exec sleep 1000' >/dev/null 2>&1 & echo $!")
        defer { _ = try? Shell.run("kill \(process) 2>/dev/null") }
        try Patience.until { try Shell.run("cat /proc/\(process)/comm") == "sleep" }
        let (status, output) = try fixture.run("unmount layer")
        #expect(status == 1)
        #expect(output.contains("process \(process) (sleep)"), "\(output)")
        #expect(output.contains("dmlayer why-busy layer"), "\(output)")
        try Shell.run("kill \(process); while kill -0 \(process) 2>/dev/null; do sleep 0.05; done")
        #expect(try fixture.run("unmount layer").status == 0)
        #expect(try fixture.devices().count == 1)
        try fixture.finish()
    }

    // MARK: 2. Nodes that udev has not made yet, 10. semaphores that it has left none of

    /// A whole life without a node in `/dev` but the control node, and where no semaphore can be made.
    @Test func needsNeitherNodesNorSemaphores() throws {
        let scratch = try ScratchDirectory()
        let options = StoreFixture.options.map { "--storage-opt \($0)" }.joined(separator: " ")
        let script = scratch.appending("script")
        let file = try FileDescriptor.open(script, .writeOnly, options: .create, permissions: .ownerReadWriteExecute)
        _ = try file.closeAfter {
            try file.writeAll(
                """
                set -eu
                echo "250 32000 32 0" > /proc/sys/kernel/sem
                mount -t tmpfs none /dev
                mkdir /dev/mapper
                mknod /dev/mapper/control c 10 236
                mknod -m 666 /dev/null c 1 3
                dmlayer() { '\(DMLayerCommand.path)' --root '\(scratch.path)/root' "$@"; }
                dmlayer \(options) init
                dmlayer create layer
                echo kept > "$(dmlayer mount layer)/file"
                dmlayer create copy --parent layer --size 400m
                dmlayer unmount layer
                dmlayer remove layer
                dmlayer shutdown
                cat "$(dmlayer mount copy)/file"
                dmlayer shutdown
                ls /dev/mapper
                """.utf8)
        }
        #expect(
            try Shell.run("unshare --mount --ipc --propagation private sh '\(script)' < /dev/null") == "kept\ncontrol")
    }

    // MARK: 4. The wrong pool, or none

    /// Docker makes new files, on which nothing is, and gives up because their base device is another one.
    @Test(arguments: ["data", "metadata"]) func makesNoNewFilesForOnesThatAreGone(name: String) throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("layer"))
        try fixture.store.shutdown()
        let file = fixture.root.appending("devicemapper/\(name)")
        try Shell.run("mv '\(file)' '\(fixture.scratch.path)/kept'")
        for arguments in ["mount layer", "init", "info"] {
            let (status, output) = try fixture.run(arguments)
            #expect(status == 1)
            #expect(output.contains("\(file)"), "\(arguments): \(output)")
            #expect(try Shell.runForStatus("test -e '\(file)'").status == 1, "\(arguments)")
        }
        try Shell.run("mv '\(fixture.scratch.path)/kept' '\(file)'")
        try fixture.finish()
    }

    // MARK: 7. A transaction id that lvm2 does not expect

    @Test func leavesTheTransactionIDAlone() throws {
        let fixture = try StoreFixture()
        let pool = try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
        try Shell.run("dmsetup message '\(pool)' 0 'set_transaction_id 0 113'")
        let (layer, copy) = (try LayerID("layer"), try LayerID("copy"))
        try fixture.store.create(layer)
        try fixture.store.create(copy, parent: layer, size: 400 << 20)
        try fixture.store.resize(layer, to: 350 << 20)
        for id in [layer, copy] { try fixture.store.remove(id) }
        try fixture.store.shutdown()
        _ = try fixture.store.status()
        #expect(try Shell.run("dmsetup status '\(pool)' | cut -d ' ' -f 4") == "113")
        try fixture.finish()
    }

    // MARK: 13. Layers of a larger container

    @Test func givesTheCopyOfALargerLayerItsSize() throws {
        let fixture = try StoreFixture()
        let (container, image) = (try LayerID("container"), try LayerID("image"))
        try fixture.store.create(container)
        try fixture.store.resize(container, to: 500 << 20)
        let path = try fixture.store.mount(container)
        try Shell.run("head -c 380M /dev/zero > '\(path)/more than a base device has'")
        try fixture.store.unmount(container)
        #expect(try fixture.store.create(image, parent: container).size == 500 << 20)
        #expect(try Shell.run("stat -c %s '\(try fixture.store.mount(image))'/more*") == "\(380 << 20)")
        try fixture.store.unmount(image)
        try fixture.finish()
    }

    // MARK: 14. No loop device is left

    @Test func findsALoopDeviceWhereAllAreTaken() throws {
        let scratch = try ScratchDirectory()
        let taken = try Shell.run(
            """
            for device in /sys/block/loop*; do
                [ ! -e $device/loop/backing_file ] || continue
                truncate --size=1M '\(scratch.path)'/${device##*/}
                losetup /dev/${device##*/} '\(scratch.path)'/${device##*/} && echo /dev/${device##*/}
            done
            """
        ).split(separator: "\n").joined(separator: " ")
        defer { _ = try? Shell.run("losetup --detach \(taken)") }
        let store = try LayerStore.initialize(
            scratch.appending("root"), options: StorageOptions(parsing: StoreFixture.options))
        #expect(try !taken.split(separator: " ").contains(Substring(store.status().dataDevice)))
        try store.create(LayerID("layer"))
        try store.shutDownLeavingNothing(at: scratch.appending("root"))
    }

    // MARK: 15. A disk that is full

    /// Docker writes a file before it deletes anything.
    @Test(arguments: ["ext4 -E nodiscard -m 0", "xfs"]) func removesLayersOnAFullDisk(rootFilesystem: String) throws {
        let fixture = try StoreFixture(rootSize: "400m", rootFilesystem: rootFilesystem)
        let ids = try (0..<40).map { try LayerID("\($0)" + String(repeating: "f", count: 62)) }
        for id in ids { try fixture.store.create(id) }
        _ = try fixture.store.mount(ids[39])
        try Shell.run(
            """
            cd '\(fixture.scratch.path)/fs'
            for size in 1M 4k 512 1; do cat /dev/zero 2>/dev/null | dd bs=$size oflag=append conv=notrunc of=full 2>/dev/null; done
            n=0; while mkdir full.$n 2>/dev/null && n=$((n + 1)); do :; done
            ! sh -c 'echo x > more' 2>/dev/null || test ! -s more
            """)
        #expect {
            try fixture.store.create(LayerID("new"))
        } throws: {
            ($0 as? LayerStoreError)?.code == .notEnoughSpace
        }
        func expectDone(_ arguments: String, _ location: SourceLocation = #_sourceLocation) throws {
            let (status, output) = try fixture.run(arguments)
            #expect(status == 0 && output.isEmpty, "\(output)", sourceLocation: location)
        }
        // Both: by a process that is there, and by one that has just begun.
        for id in ids[..<19] { try fixture.store.remove(id) }
        try expectDone("remove \(ids[19])")
        try expectDone("unmount \(ids[39])")
        #expect(try fixture.store.layers().count == 21)
        #expect(try fixture.store.status().deferredDeletions == 0)
        // After a crash as well.
        try fixture.takeDownAsACrashDoes()
        try expectDone("remove \(ids[20])")
        try Shell.run("rm -r '\(fixture.scratch.path)/fs/'full*")
        try fixture.store.create(LayerID("new"))
        try fixture.finish()
    }

    // MARK: 17. Numbers that are in use, or gone

    @Test func passesOverNumbersThatAreInUse() throws {
        let fixture = try StoreFixture()
        let pool = try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
        for number in 2...5 { try Shell.run("dmsetup message '\(pool)' 0 'create_thin \(number)'") }
        let record = try fixture.store.create(LayerID("layer"))
        #expect("\(record.deviceID)" == "6")
        try fixture.store.write("x", to: "file", in: LayerID("layer"))
        for number in 2...5 { try Shell.run("dmsetup message '\(pool)' 0 'delete \(number)'") }
        try fixture.finish()
    }

    @Test func removesALayerWhoseThinDeviceIsGone() throws {
        let fixture = try StoreFixture()
        let pool = try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
        try fixture.store.create(LayerID("layer"))
        try Shell.run("dmsetup message '\(pool)' 0 'delete 2'")
        let (status, output) = try fixture.run("mount layer")
        #expect(status == 1)
        #expect(output.contains("layer"), "\(output)")
        #expect(try fixture.devices().count == 1)
        try fixture.store.remove(LayerID("layer"))
        #expect(try fixture.store.status().deferredDeletions == 0)
        try fixture.finish()
    }

    // MARK: 18. The root under another name

    @Test func followsARootThatWasMoved() throws {
        let fixture = try StoreFixture()
        let (busy, quiet) = (try LayerID("busy"), try LayerID("quiet"))
        for id in [busy, quiet] {
            try fixture.store.create(id)
            try fixture.store.write("kept", to: "file", in: id)
        }
        _ = try fixture.store.mount(busy)
        // Renamed while it is in use: the same directory.
        let moved = fixture.scratch.appending("fs/moved")
        try Shell.run("mv '\(fixture.root)' '\(moved)'")
        #expect(try DMLayerCommand.run("--root '\(moved)' mount quiet") == "\(moved)/mnt/quiet/rootfs")
        for id in [busy, quiet] { try DMLayerCommand.run("--root '\(moved)' unmount \(id)") }
        try DMLayerCommand.run("--root '\(moved)' shutdown")
        #expect(try Shell.run("dmsetup ls | grep -c docker-\(Self.prefix(of: moved)) || true") == "0")
        // Copied, and the original gone: another directory, with names of its own.
        try Shell.run("cp -a --sparse=always '\(moved)' '\(fixture.root)' && rm -r '\(moved)'")
        for id in [busy, quiet] { #expect(try fixture.reopened().read("file", in: id) == "kept") }
        try fixture.reopened().shutdown()
        #expect(try fixture.devices() == [])
    }

    private static func prefix(of root: FilePath) throws -> String {
        let status = try Stat(root)
        return "\(DeviceNumber(status.deviceID))-\(status.inode.rawValue)-"
    }

    // MARK: 20. Figures that do not add up

    @Test func reportsWhatAddsUp() throws {
        let fixture = try StoreFixture()
        let json = try fixture.run("--json info").output
        let sums = try Shell.run(
            "jq --compact-output '[.data, .metadata | .used + .available == .total and .used > 0]' <<'END'\n\(json)\nEND"
        )
        #expect(sums == "[true,true]")
        // Where the disk below has less than the pool, that is what is available.
        try Shell.run("fallocate --length=1000M '\(fixture.scratch.path)/fs/other'")
        let rest = try #require(UInt64(try Shell.run("stat -f -c '%f %S' '\(fixture.root)' | awk '{ print $1 * $2 }'")))
        let data = try fixture.store.status().data
        #expect(data.used + data.available < data.total)
        #expect(data.available <= rest)
        try Shell.run("rm '\(fixture.scratch.path)/fs/other'")
        try fixture.finish()
    }

    // MARK: 21. An empty list, without a word

    @Test func saysThatThereIsNoStore() throws {
        let scratch = try ScratchDirectory()
        for (root, message) in [("empty", "holds no store"), ("nowhere", "does not exist")] {
            if root == "empty" { _ = try scratch.makeDirectory(root) }
            for arguments in ["list", "info", "mount layer", "remove layer", "shutdown"] {
                let (status, output) = try DMLayerCommand.runForStatus("--root '\(scratch.path)/\(root)' \(arguments)")
                #expect(status == 1)
                #expect(output.contains(message) && output.contains("dmlayer init"), "\(arguments): \(output)")
            }
        }
        #expect(try Shell.run("find '\(scratch.path)' -mindepth 1 -printf '%f '") == "empty ")
    }
}
