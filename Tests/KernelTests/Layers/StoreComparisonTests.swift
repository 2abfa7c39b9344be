import LayerArchive
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// The comparison of all inodes at once: it leaves out what it knows to be unchanged, and nothing else.
@Suite(.serialized) struct StoreComparisonTests {
    /// The changes as the status of every file tells them, on layers that are mounted.
    private func changesByStatus(_ paths: [FilePath]) throws -> [String] {
        let directories = try paths.map {
            try FileDescriptor.open($0, .readOnly, options: [.directory, .closeOnExec])
        }
        defer { for directory in directories { try? directory.close() } }
        return try ChangeSet(of: directories[0], against: directories[1]).map(\.description)
    }

    /// One thing that is done to files of the layer; each takes the number of a file from `$1` and of another from `$2`.
    private static let changes = [
        "echo other > d$1/f$2", "chmod 600 d$1/f$2; chmod 644 d$1/f$2", "chmod 600 d$1/f$2", "chown 7 d$1/f$2",
        "rm -f d$1/f$2", "mkdir d$1/new$2", "mv d$1/f$2 d$2/f$1", "mv d$1/f$2 d$1/x && mv d$1/x d$1/f$2",
        "ln d$1/f$2 d$1/l$2", "rm -rf d$1 && mkdir d$1 && echo n > d$1/f$2", "cat d$1/* > /dev/null", "touch d$1/f$2",
        // The size and the time stay as they were: Docker sees no change.
        "touch -r d$1/f$2 /tmp/t && printf X | dd of=d$1/f$2 conv=notrunc status=none && touch -r /tmp/t d$1/f$2",
        "setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 d$1/f$2",
        "setfattr -n user.large -v 0x$(printf '%0600d' 0) d$1/f$2", "echo x > d$1/f$2/x", "ls -R d$1 > /dev/null",
        "rm -f d$1/f$2 && mknod d$1/f$2 c $1 $2", "ln -sf target d$1/f$2", "touch -h -d @1700000000 d$1/f$2",
        "mv d$1 d$1.x && mkdir d$1 && mv d$1.x/* d$1/ && rmdir d$1.x", "cp -a d$1/f$2 d$1/c && mv d$1/c d$1/f$2",
        "truncate -s 100000 d$1/f$2", "mv d$1 d$2/moved && mkdir d$1",
    ]

    @Test(arguments: ["ext4", "xfs", "ext4 lazytime"]) func agreesWithTheStatusOfEveryFile(filesystem: String) throws {
        let words = filesystem.split(separator: " ")
        let fixture = try StoreFixture(
            ["dm.fs=\(words[0])", "dm.basesize=700m"] + words.dropFirst().map { "dm.mountopt=\($0)" })
        let store = fixture.store
        let (parent, layer) = (try LayerID("parent"), try LayerID("layer"))
        try store.create(parent)
        let path = try store.mount(parent)
        try Shell.run(
            """
            cd '\(path)'
            for d in $(seq 10); do mkdir d$d; for f in $(seq 10); do echo $d $f > d$d/f$f; done; done
            """)
        try store.unmount(parent)
        // One that is larger than its parent has inodes that the parent has not.
        try store.create(layer, parent: parent, size: 900 << 20)
        #expect(try store.changes(of: layer).isEmpty)
        var random = SeededRandom(seed: 7)
        for round in 0..<6 {
            let paths = try [layer, parent].map { try store.mount($0) }
            var script = "exec 2> /dev/null; cd '\(paths[0])'\n"
            for _ in 0..<10 {
                let numbers = (0..<2).map { _ in Int.random(in: 1...10, using: &random) }
                let change = Self.changes.randomElement(using: &random) ?? ""
                script += "set -- \(numbers[0]) \(numbers[1]); { \(change); }\n"
            }
            // The parent does not stay as it was, either.
            if round == 3 { script += "cd '\(paths[1])'; echo later > d3/f3; rm d4/f4; echo later > d5/later\n" }
            try Shell.run(script + "true")
            // Nothing has been written to the disk.
            let expected = try changesByStatus(paths)
            #expect(try store.changes(of: layer).map(\.description) == expected, "\(script)")
            #expect(!expected.isEmpty)
            for id in [layer, parent] { try store.unmount(id) }
            #expect(try store.changes(of: layer).map(\.description) == expected, "\(script)")
        }
        try fixture.finish()
    }

    /// One file of 5,000 was changed: what Docker's driver takes 20,000 and more system calls for.
    @Test(arguments: ["ext4", "xfs"]) func asksLittleOfTheKernel(filesystem: String) throws {
        let fixture = try StoreFixture(["dm.fs=\(filesystem)", "dm.basesize=600m"])
        let (parent, layer) = (try LayerID("parent"), try LayerID("layer"))
        try fixture.store.create(parent)
        var path = try fixture.store.mount(parent)
        try Shell.run(
            """
            cd '\(path)'
            for d in $(seq 0 49); do mkdir d$d; for f in $(seq 0 99); do printf '%01024d' 0 > d$d/f$f; done; done
            """)
        try fixture.store.unmount(parent)
        try fixture.store.create(layer, parent: parent)
        path = try fixture.store.mount(layer)
        try Shell.run("echo changed > '\(path)/d25/f50'")
        func calls(_ arguments: String) throws -> (all: Int, status: Int) {
            let trace = fixture.scratch.appending("trace")
            try Shell.run("strace -f -o '\(trace)' '\(DMLayerCommand.path)' --root '\(fixture.root)' \(arguments)")
            let counts = try Shell.run("wc -l < '\(trace)'; grep -c 'statx(' '\(trace)' || true").split(separator: "\n")
            return (try #require(Int(counts[0])), try #require(Int(counts[1])))
        }
        let start = try calls("list").all
        for isMounted in [true, false] {
            if !isMounted { try fixture.store.unmount(layer) }
            #expect(try fixture.run("changes layer").output == "C /d25\nC /d25/f50")
            let (all, status) = try calls("changes layer")
            // For each of the 50 directories two are opened, two closed, and one is read in two calls.
            #expect(all - start < 6 * 51 + 120, "\(all) calls, of which \(start) are those of any command")
            #expect(status < 20)
        }
        try fixture.finish()
    }
}
