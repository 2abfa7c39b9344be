import DeviceMapper
import LayerArchive
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Reading and filling layers that are not mounted, or mounted by others: what it leaves behind, and who may do what
/// meanwhile.
@Suite(.serialized) struct StoreReadingTests {
    private let fixture: StoreFixture
    private let store: LayerStore
    private let command: String

    /// Makes a layer `parent`, and a child of it `layer` with more than pipes and buffers hold.
    init() throws {
        fixture = try StoreFixture()
        store = fixture.store
        command = "'\(DMLayerCommand.path)' --root '\(fixture.root)'"
        try store.create(LayerID("parent"))
        try store.write("x", to: "file", in: LayerID("parent"))
        try store.create(LayerID("layer"), parent: LayerID("parent"))
        let path = try store.mount(LayerID("layer"))
        try Shell.run("head -c 8M /dev/urandom > '\(path)/large'")
        try store.unmount(LayerID("layer"))
    }

    /// The devices of layers, and the mounts in the store.
    private func leftovers() throws -> String {
        try fixture.devices().filter { !$0.hasSuffix("-pool") }.joined(separator: " ")
            + Shell.run("grep ' \(fixture.root)/' /proc/self/mountinfo || true")
    }

    /// The kernel removes the device of a process that was killed a moment after its last file was closed.
    private func awaitNothingLeft() throws {
        try Patience.until { try leftovers() == "" }
    }

    /// How many sectors were written to the devices below the pool.
    private func writes(_ fixture: StoreFixture) throws -> String {
        try Shell.run(
            """
            for file in data metadata; do
                device=$(losetup --list --noheadings --output NAME --associated '\(fixture.root)/devicemapper/'$file)
                awk '{ print $7 }' /sys/block/${device##*/}/stat
            done
            """)
    }

    /// To Linux 5.10, no XFS of the present mkfs has been unmounted cleanly, and each must be mended before it is read.
    @Test(arguments: KernelRelease.isLinux5 ? ["ext4"] : ["ext4", "xfs"])
    func writesNothingToReadALayer(filesystem: String) throws {
        let fixture = filesystem == "ext4" ? fixture : try StoreFixture(["dm.fs=xfs"])
        if filesystem == "xfs" {
            try fixture.store.create(LayerID("parent"))
            try fixture.store.create(LayerID("layer"), parent: LayerID("parent"))
            try fixture.store.write("x", to: "large", in: LayerID("layer"))
        }
        let before = (try writes(fixture), try fixture.store.status())
        #expect(try fixture.run("changes layer").output == "A /large")
        #expect(try fixture.run("changes layer --size").output == (filesystem == "xfs" ? "1" : "\(8 << 20)"))
        #expect(try fixture.run("diff layer | tar -tf -").output == "large")
        let after = (try writes(fixture), try fixture.store.status())
        #expect(after.0 == before.0)
        #expect(after.1 == before.1)
        #expect(try leftovers() == "")
        try fixture.finish()
    }

    /// Each way in which a command can be ended while it reads or fills a layer.
    @Test func leavesNothingWhenItIsEnded() throws {
        let (pipe, archive) = (fixture.scratch.appending("pipe"), fixture.scratch.appending("archive"))
        #expect(try Shell.run("\(command) diff layer | head -c 1 | wc -c") == "1")
        // Killed by it, as programs are.
        #expect(try Shell.run("{ \(command) diff layer; echo $? >&2; } | head -c 1 > /dev/null") == "141")
        try awaitNothingLeft()
        try Shell.run("mkfifo '\(pipe)'; \(command) diff layer --output '\(archive)'")
        for signal in ["INT", "TERM", "HUP", "KILL"] {
            // A shell lets what it starts in the background ignore some signals.
            try Shell.run(
                """
                env --default-signal \(command) diff layer > '\(pipe)' &
                process=$!
                exec 3< '\(pipe)'
                head -c 1 <&3 > /dev/null
                test "$(dmsetup ls | grep -c -- -layer)" = 1
                kill -\(signal) $process
                ! wait $process
                """)
            try awaitNothingLeft()
            try Shell.run(
                """
                exec 3<> '\(pipe)'
                env --default-signal \(command) apply parent <&3 &
                process=$!
                head -c 3M '\(archive)' >&3
                until dmsetup ls | grep -q -- -parent; do sleep 0.05; done
                kill -\(signal) $process
                ! wait $process
                """)
            try awaitNothingLeft()
        }
        // Everything still works, also that the one reads what the other fills.
        try Shell.run("\(command) diff layer | \(command) apply parent")
        #expect(try fixture.run("changes layer").output == "")
        try fixture.finish()
    }

    @Test func leavesNothingWhenItFails() throws {
        let full = try fixture.scratch.makeDirectory("full")
        try Shell.run("mount -t tmpfs -o size=1m none '\(full)'")
        let (status, output) = try fixture.run("diff layer --output '\(full)/archive'")
        #expect(status == 1)
        #expect(output.contains("cannot write the changes of layer layer: cannot write the archive: No space left"))
        #expect(try leftovers() == "")
        #expect(try fixture.run("diff layer > /dev/full").status == 1)
        // A layer that is too small, an archive that is none, one that is cut off.
        try store.create(LayerID("small"))
        let large = "truncate -s 400M large; head -c 400M /dev/urandom > large"
        #expect(try Shell.run("cd '\(fixture.scratch.path)'; mkdir t; cd t; \(large)") == "")
        let failures = [
            ("tar -C '\(fixture.scratch.path)/t' -cf - .", "No space left on device"),
            ("echo no archive at all", "the archive ends"),
            ("\(command) diff layer | head -c 100k", "the archive ends"),
        ]
        for (source, message) in failures {
            let (status, output) = try Shell.runForStatus("\(source) 2> /dev/null | \(command) apply small")
            #expect(status == 1)
            #expect(output.contains("cannot apply an archive to layer small: "))
            #expect(output.contains(message), "\(output)")
            #expect(try leftovers() == "")
        }
        let cancelled = LayerExport(cancellation: Cancellation { true })
        #expect(throws: LayerStoreError.self) {
            try store.exportChanges(of: LayerID("layer"), to: FileDescriptor.standardOutput, cancelled)
        }
        #expect(try leftovers() == "")
        try fixture.finish()
    }

    @Test func leavesMountedWhatWasMounted() throws {
        _ = try store.mount(LayerID("layer"))
        let before = try leftovers()
        #expect(try fixture.run("changes layer").output == "A /large")
        try Shell.run("\(command) diff layer | head -c 1")
        #expect(try leftovers() == before)
        // Changes that have not been written to the disk yet are seen, and unpacked files are seen at once.
        try Shell.run("echo x > '\(fixture.root)/mnt/layer/rootfs/new'")
        #expect(try fixture.run("changes layer").output == "A /large\nA /new")
        try Shell.run("\(command) diff parent | \(command) apply layer")
        try Shell.run(
            "mkdir '\(fixture.scratch.path)/t'; tar -C '\(fixture.scratch.path)/t' -cf - . | \(command) apply layer")
        #expect(try leftovers() == before)
        try store.unmount(LayerID("layer"))
        try fixture.finish()
    }

    /// A reader that waits for its pipe holds up nobody but who wants to change the layer itself.
    @Test func letsOthersWorkWhileItReads() throws {
        let output = try Shell.run(
            """
            mkfifo '\(fixture.scratch.path)/pipe'
            \(command) diff layer > '\(fixture.scratch.path)/pipe' &
            process=$!
            exec 3< '\(fixture.scratch.path)/pipe'
            head -c 1 <&3 > /dev/null
            echo $process
            timeout 20 \(command) create child --parent layer; echo $?
            timeout 20 \(command) changes child; echo $?
            timeout 20 \(command) changes layer; echo $?
            timeout 20 \(command) mount layer; echo $?
            timeout 20 \(command) shutdown; echo $?
            timeout 20 \(command) remove layer; echo $?
            cat <&3 | wc -c
            wait $process; echo $?
            timeout 20 \(command) list | grep -c '^layer '
            timeout 20 \(command) remove child; echo $?
            """)
        let lines = output.split(separator: "\n").map(String.init)
        let process = try #require(lines.first)
        try #require(lines.count == 15, "\(output)")
        #expect(Array(lines[1...4]) == ["0", "0", "A /large", "0"])
        for (line, status) in [(5, "1"), (7, "1"), (9, "0")] {
            #expect(lines[line].contains("in use by process \(process) (dmlayer)"), "\(lines[line])")
            #expect(lines[line + 1] == status)
        }
        #expect(lines[9].contains("layer layer is removed, and its data stays until nothing uses it"))
        // The rest of an archive of one file with a time in nanoseconds.
        #expect(lines[11] == "\((8 << 20) + 5 * 512 - 1)")
        #expect(Array(lines[12...]) == ["0", "0", "0"])
        try fixture.finish()
    }

    /// An operation that is refused because a process reads the layer has changed nothing.
    @Test func refusesToChangeWhatIsRead() throws {
        let before = try fixture.run("list").output
        let archive = fixture.scratch.appending("archive")
        try Shell.run("\(command) diff parent --output '\(archive)'")
        let output = try Shell.run(
            """
            mkfifo '\(fixture.scratch.path)/pipe'
            \(command) diff layer > '\(fixture.scratch.path)/pipe' &
            exec 3< '\(fixture.scratch.path)/pipe'
            head -c 1 <&3 > /dev/null
            for words in 'mount layer' 'resize layer 20G' 'trim layer' 'apply layer'; do
                timeout 20 \(command) $words < '\(archive)' 2>&1 | grep -c "in use by process $! (dmlayer)"
            done
            cat <&3 > /dev/null
            wait
            """)
        #expect(output == "1\n1\n1\n1")
        #expect(try fixture.run("list").output == before)
        #expect(try leftovers() == "")
        try fixture.finish()
    }

    /// A service that has mounts of its own, which nobody else sees.
    @Test func readsWhatIsMountedElsewhere() throws {
        let output = try Shell.run(
            """
            mkfifo '\(fixture.scratch.path)/pipe'
            unshare --mount --propagation private sh -c '
                path=$('"\(command)"' mount layer); echo x > $path/new; echo > "$0"; read line < "$0"
                '"\(command)"' unmount layer' '\(fixture.scratch.path)/pipe' &
            read line < '\(fixture.scratch.path)/pipe'
            grep -c ' \(fixture.root)/mnt/layer ' /proc/self/mountinfo
            \(command) changes layer
            \(command) diff layer | tar -tf -
            echo > '\(fixture.scratch.path)/pipe'
            wait
            """)
        #expect(output == "0\nA /large\nA /new\nlarge\nnew")
        #expect(try leftovers() == "")
        try fixture.finish()
    }

    /// The files below the pool as they are at a moment, as after a power cut, are a store that has all that was applied.
    @Test(arguments: ["ext4", "xfs"]) func hasEverythingOnTheDiskWhenItReturns(filesystem: String) throws {
        let fixture = try StoreFixture(["dm.fs=\(filesystem)"])
        let command = "'\(DMLayerCommand.path)' --root '\(fixture.root)'"
        for id in ["mounted", "unmounted", "dirty"] { try fixture.store.create(LayerID(id)) }
        let paths = try ["mounted", "dirty"].map { try fixture.store.mount(LayerID($0)) }
        let copy = fixture.root.removingLastComponent().appending("copy")
        try Shell.run(
            """
            set -e
            mkdir '\(fixture.scratch.path)/t'; cd '\(fixture.scratch.path)/t'
            mkdir dir; for i in $(seq 50); do echo $i > dir/$i; done; head -c 2M /dev/urandom > large
            echo x > '\(paths[1])/written'; sync -f '\(paths[1])'
            for id in mounted unmounted; do tar -cf - . | \(command) apply $id; done
            cp --archive --sparse=always '\(fixture.root)' '\(copy)'
            """)
        for id in ["mounted", "dirty"] { try fixture.store.unmount(LayerID(id)) }
        try fixture.finish()

        let store = try LayerStore(opening: copy)
        defer { try? store.shutdown() }
        for id in ["mounted", "unmounted"] {
            let path = try store.mount(LayerID(id))
            #expect(try Shell.run("diff -r '\(fixture.scratch.path)/t' '\(path)'") == "")
            #expect(try store.changes(of: LayerID(id)).count == 52)
            try store.unmount(LayerID(id))
        }
        // One that was not unmounted is not what it should be before its journal has been replayed.
        #expect(try store.changes(of: LayerID("dirty")).map(\.description) == ["A /written"])
    }
}
