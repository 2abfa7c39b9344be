import LayerStore
import SystemPackage
import TestSupport
import Testing

/// The content of layers: cases of Docker's tests for storage drivers, through the command.
@Suite(.serialized) struct StoreContentTests {
    /// Runs a script in the content of a layer, which is mounted for it.
    private func change(_ id: String, _ fixture: StoreFixture, _ script: String) throws {
        let id = try LayerID(id)
        let path = try fixture.store.mount(id)
        try Shell.run("set -e; cd '\(path)'\n\(script)")
        try fixture.store.unmount(id)
    }

    /// DiffApply: what a layer changed, applied to its sibling, makes that the same.
    @Test(arguments: ["ext4", "xfs"]) func appliesADifference(filesystem: String) throws {
        let fixture = try StoreFixture(["dm.fs=\(filesystem)"])
        try fixture.store.create(LayerID("bottom"))
        try change(
            "bottom", fixture,
            """
            for i in $(seq 0 9); do printf 'bottom %s' $i > file-$i; done
            mkdir -p dir-remove/sub; echo x > file-remove; echo y > dir-remove/sub/file
            """)
        for id in ["upper", "sibling"] { try fixture.store.create(LayerID(id), parent: LayerID("bottom")) }
        try change(
            "upper", fixture,
            "for i in $(seq 0 9); do printf 'upper %s' $i > file-$i; done; rm -r file-remove dir-remove")
        // All that is in the layer is what it changed.
        let size = try fixture.run("changes upper --size --parent base").output
        let (status, output) = try Shell.runForStatus(
            """
            '\(DMLayerCommand.path)' --root '\(fixture.root)' diff upper \
                | '\(DMLayerCommand.path)' --root '\(fixture.root)' --json apply sibling | jq .size
            """)
        #expect(status == 0)
        #expect(output == size && size == "70")
        #expect(try fixture.run("changes sibling --parent upper").output == "")
        #expect(try fixture.store.read("file-3", in: LayerID("sibling")) == "upper 3")
        try change("sibling", fixture, "! test -e file-remove; ! test -e dir-remove; test $(ls | wc -l) = 10")
        try fixture.finish()
    }

    /// Changes: of twenty files, every third is changed, followed by a new one, and every third is deleted.
    @Test(arguments: ["ext4", "xfs"]) func listsChanges(filesystem: String) throws {
        let fixture = try StoreFixture(["dm.fs=\(filesystem)"])
        try fixture.store.create(LayerID("bottom"))
        try change("bottom", fixture, "mkdir directory-0; for i in $(seq 0 19); do echo $i > directory-0/file-$i; done")
        try fixture.store.create(LayerID("upper"), parent: LayerID("bottom"))
        var expected = ["C /directory-0"]
        var script = "cd directory-0\n"
        for index in 0..<20 {
            switch index % 3 {
            case 0:
                script += "echo other > file-\(index)\n"
                expected.append("C /directory-0/file-\(index)")
            case 1:
                script += "echo new > new-\(index)\n"
                expected.append("A /directory-0/new-\(index)")
            default:
                script += "rm file-\(index)\n"
                expected.append("D /directory-0/file-\(index)")
            }
        }
        try change("upper", fixture, script)
        let (status, output) = try fixture.run("changes upper")
        #expect(status == 0)
        #expect(output.split(separator: "\n").map(String.init).sorted() == expected.sorted())
        let json = try fixture.run("--json changes upper").output
        let filter = ".[] | \"\\(\"CAD\"[.Kind:.Kind + 1]) \\(.Path)\""
        #expect(try Shell.run("jq --raw-output '\(filter)' <<'END'\n\(json)\nEND") == output)
        try fixture.finish()
    }

    /// DeepLayerRead: a file at the bottom is seen through many layers, and each of them is as it was.
    @Test func readsThroughManyLayers() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("layer-0"))
        try change("layer-0", fixture, "echo 'a file' > testfile; echo layer-0 > top-id")
        let depth = 20
        for number in 1...depth {
            try fixture.store.create(LayerID("layer-\(number)"), parent: LayerID("layer-\(number - 1)"))
            try change(
                "layer-\(number)", fixture,
                """
                echo layer-\(number) > top-id; mkdir layer-\(number)
                echo layer-\(number) > layer-\(number)/layer-id; echo layer-\(number - 1) > layer-\(number)/parent-id
                """)
            #expect(
                try fixture.run("changes layer-\(number)").output
                    == """
                    A /layer-\(number)
                    A /layer-\(number)/layer-id
                    A /layer-\(number)/parent-id
                    C /top-id
                    """)
        }
        try change(
            "layer-\(depth)", fixture,
            """
            test "$(cat testfile)" = 'a file'; test "$(cat top-id)" = layer-\(depth)
            for i in $(seq 1 \(depth)); do
                test "$(cat layer-$i/layer-id)" = layer-$i; test "$(cat layer-$i/parent-id)" = layer-$((i - 1))
            done
            """)
        // The changes of all layers together.
        let lines = try fixture.run("changes layer-\(depth) --parent layer-0").output.split(separator: "\n")
        #expect(lines.count == 3 * depth + 1)
        #expect(lines.filter { !$0.hasPrefix("A ") } == ["C /top-id"])
        try fixture.finish()
    }

    @Test func comparesWithTheParentThatIsNamedOrRecorded() throws {
        let fixture = try StoreFixture()
        for (id, parent) in [("one", ""), ("two", "--parent one"), ("three", "--parent two"), ("empty", "")] {
            #expect(try fixture.run("create \(id) \(parent)").status == 0)
            if id != "empty" { try change(id, fixture, "echo \(id) > \(id)") }
        }
        #expect(try fixture.run("changes three").output == "A /three")
        #expect(try fixture.run("changes three --parent one").output == "A /three\nA /two")
        #expect(try fixture.run("changes three --parent base").output == "A /one\nA /three\nA /two")
        #expect(try fixture.run("changes one").output == "A /one")
        #expect(try fixture.run("changes one --parent three").output == "D /three\nD /two")
        #expect(try fixture.run("changes one --parent one").output == "")
        // Nobody has ever mounted it.
        #expect(try fixture.run("changes empty").output == "")
        #expect(try fixture.run("changes one --parent empty").output == "A /one")
        #expect(try fixture.run("changes empty --size").output == "0")
        #expect(try fixture.run("diff empty | tar -tf - | wc -l").output == "0")
        #expect(try fixture.run("--json changes empty").output == "[]")
        for (command, message) in [
            ("changes none", "the layer none does not exist"),
            ("changes one --parent none", "the parent layer none does not exist"),
            ("changes base", "“base” cannot be a layer id"),
        ] {
            let (status, output) = try fixture.run(command)
            #expect(status == 1)
            #expect(output.contains(message), "\(output)")
        }
        // A parent that has gone is not taken for an empty one.
        try fixture.store.remove(LayerID("two"))
        #expect(try fixture.run("changes three").output.contains("the parent layer two does not exist"))
        try fixture.finish()
    }

    /// Others unpack what is written here, and what others write is unpacked here.
    @Test(arguments: ["tar", "bsdtar"]) func agreesWithOtherPrograms(program: String) throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("source"))
        try change(
            "source", fixture,
            """
            mkdir -p dir/sub; echo x > dir/file; ln dir/file hard; ln -s dir/file symbolic; mkfifo dir/fifo
            chmod 4711 dir/file; chown 1:2 dir/sub; chmod 1777 dir/sub; mknod dir/node c 300 70000; mknod block b 7 1
            n=$(printf '%0150d' 0); echo long > "dir/$n"; mkdir -p "$n/$n/$n"; echo deep > "$n/$n/$n/file"
            printf x > "$(printf 'bad\\377name')"; printf x > "$(printf 'new\\nline')"; touch ünïcode
            truncate -s 5M sparse; printf data | dd of=sparse bs=1 seek=3000000 conv=notrunc status=none
            head -c 300000 /dev/urandom > large
            setfattr -n user.comment -v hello dir/file 2>/dev/null || true
            find . -exec touch -h -d @1600000000 {} +
            """)
        let layer = "'\(DMLayerCommand.path)' --root '\(fixture.root)'"
        let options = program == "tar" ? "--xattrs --xattrs-include='*' --numeric-owner" : "--numeric-owner"
        let list = """
            list() { (cd "$1"; find . -mindepth 1 -type d -exec touch -d @1600000000 {} +
                tar --sort=name --numeric-owner --exclude=./lost+found -cf - . | sha256sum); }
            """
        for id in ["copy", "back"] { try fixture.store.create(LayerID(id)) }
        // On a disk, where files can have attributes. The programs have words of their own on names that are no text.
        let out = fixture.root.removingLastComponent().appending("out")
        let paths = try ["source", "copy"].map { try fixture.store.mount(LayerID($0)) }
        let result = try Shell.run(
            """
            set -e
            export LC_ALL=C.UTF-8
            \(list)
            mkdir '\(out)'
            \(layer) diff source | \(program) -C '\(out)' -xpf - \(options) 2> /dev/null
            \(program) -C '\(out)' -cf - \(options) . 2> /dev/null | \(layer) apply copy
            touch -d @1600000000 '\(paths[0])' '\(out)' '\(paths[1])'
            list '\(paths[0])'; list '\(out)'; list '\(paths[1])'
            """)
        #expect(Set(result.split(separator: "\n")).count == 1)
        #expect(try fixture.run("changes copy --parent source").output == "")
        for id in ["source", "copy"] { try fixture.store.unmount(LayerID(id)) }
        #expect(try fixture.run("changes copy --parent source").output == "")
        try fixture.finish()
    }

    /// Entries of an archive that lead out of the layer change nothing there.
    @Test func keepsArchivesWithinTheLayer() throws {
        let fixture = try StoreFixture()
        let victim = try fixture.scratch.makeDirectory("victim")
        try Shell.run("echo secret > '\(victim)/secret'; chmod 600 '\(victim)/secret'; mkdir '\(victim)/sub'")
        let layer = try LayerID("layer")
        try fixture.store.create(layer)
        // Other tests work in directories of the root meanwhile.
        let listing = """
            find '\(victim)' -printf '%p %m %u %s %n %T@\\n'; find / -maxdepth 1 -printf '%p %m %u\\n' | sort
            cat '\(victim)/secret'
            """
        let before = try Shell.run(listing)
        let up = String(repeating: "../", count: 12)
        // Python's tarfile writes what it is told to. Name, type, target.
        let archives = [
            "('\(victim)/new', 'f', '')", "('\(up)\(victim)/new', 'f', '')", "('a/../\(up)tmp/new', 'f', '')",
            "('l', 's', '\(victim)'), ('l/new', 'f', '')", "('l', 's', '\(up)\(victim)'), ('l/secret', 'f', '')",
            "('l', 's', '/proc/self/root'), ('l/\(victim)/new', 'f', '')",
            "('l', 's', '/proc/self/cwd'), ('l/new', 'f', '')",
            "('h', 'h', '\(victim)/secret')", "('h', 'h', '\(up)\(victim)/secret'), ('h', 'f', '')",
            "('l', 's', '\(victim)'), ('h', 'h', 'l/secret'), ('h', 'f', '')",
            "('l', 's', '\(victim)'), ('l/.wh.secret', 'f', '')",
            "('l', 's', '\(victim)'), ('l/.wh..wh..opq', 'f', '')",
            "('\(up)\(victim)/.wh.secret', 'f', '')", "('.wh...', 'f', '')", "('../.wh.rootfs', 'f', '')",
            "('../id', 'f', '')", "('d', 'd', ''), ('.wh.d', 'f', ''), ('d', 's', '\(victim)'), ('d/new', 'f', '')",
        ]
        for archive in archives {
            let (status, output) = try Shell.runForStatus(
                """
                python3 -c "
                import io, sys, tarfile
                out = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.PAX_FORMAT)
                types = {'f': tarfile.REGTYPE, 'd': tarfile.DIRTYPE, 's': tarfile.SYMTYPE, 'h': tarfile.LNKTYPE}
                for name, kind, target in [\(archive)]:
                    entry = tarfile.TarInfo(name)
                    entry.type, entry.linkname, entry.mode = types[kind], target, 0o777
                    entry.size = 4 if kind == 'f' and '.wh.' not in name else 0
                    out.addfile(entry, io.BytesIO(b'evil') if entry.size else None)
                out.close()
                " | '\(DMLayerCommand.path)' --root '\(fixture.root)' apply layer
                """)
            // Some are refused, and the others stay below the root.
            #expect(status == 0 || output.hasPrefix("dmlayer: cannot apply an archive to layer layer: "))
            #expect(try Shell.run(listing) == before, "\(archive)")
        }
        // Beside the content, there is still what was there.
        _ = try fixture.store.mount(layer)
        #expect(try Shell.run("cd '\(fixture.root)/mnt/layer'; cat id; ls -d rootfs") == "layerrootfs")
        // A node can be in a layer, and does not open there while it is unpacked or archived.
        try Shell.run("cd '\(fixture.root)/mnt/layer/rootfs'; rm -rf ./*; mknod disk b 7 0; mkfifo fifo")
        #expect(
            try Shell.run("cd /; '\(DMLayerCommand.path)' --root '\(fixture.root)' diff layer | tar -tf -")
                == "disk\nfifo")
        try fixture.store.unmount(layer)
        try fixture.finish()
    }
}
