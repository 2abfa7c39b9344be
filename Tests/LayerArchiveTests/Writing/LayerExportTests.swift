import Glibc
import LayerArchive
import SystemPackage
import Testing

@Suite struct LayerExportTests {
    private static func lines(_ archive: Archive) throws -> [String] {
        try archive.entries().map { entry, _ in
            var line = "\(entry.kind) \(String(decoding: entry.path, as: UTF8.self))"
            if !entry.linkTarget.isEmpty { line += " -> \(String(decoding: entry.linkTarget, as: UTF8.self))" }
            return line
        }
    }

    @Test func writesDeletionsAsWhiteouts() throws {
        let lower = try TemporaryDirectory("mkdir -p d/gone/x e; touch d/gone/x/y d/file top .hidden")
        let upper = try lower.copy()
        try upper.shell("rm -r d/gone d/file top .hidden e; touch -d @1234567890.5 d; touch -d @1 .")
        let archive = try Archive(of: upper, against: lower)
        #expect(
            try Self.lines(archive) == [
                "file .wh..hidden", "directory d/", "file d/.wh.file", "file d/.wh.gone", "file .wh.e", "file .wh.top",
            ])
        let whiteout = try #require(archive.entries().first { $0.entry.path == Array("d/.wh.gone".utf8) }?.entry)
        #expect(whiteout.permissions == 0 && whiteout.size == 0)
        #expect(whiteout.modificationTime == Timestamp(seconds: 1_234_567_890))
        // The same layer gives the same bytes.
        #expect(try Archive(of: upper, against: lower).bytes == archive.bytes)
    }

    @Test func writesHardLinksOnce() throws {
        let lower = try TemporaryDirectory("echo old >below")
        let upper = try lower.copy()
        try upper.shell("echo x >b; ln b a; ln b c; ln -s nowhere s; ln s t; mkfifo p; ln p q; ln below new")
        let archive = try Archive(of: upper, against: lower)
        #expect(
            try Self.lines(archive) == [
                "file a", "hardLink b -> a", "hardLink c -> a", "file new", "fifo p", "hardLink q -> p",
                "symbolicLink s -> nowhere", "hardLink t -> s",
            ])
        let copy = try lower.copy()
        try archive.extract(into: copy)
        try copy.shell("test a -ef b; test a -ef c; test -L t; test -p q; test p -ef q; test \"$(cat new)\" = old")
    }

    @Test func leavesSocketsOut() throws {
        let tree = try TemporaryDirectory("touch a")
        // A socket that nobody listens to.
        let socket = unsafe mknod(tree.path.appending("socket").string, FileType.socket.rawValue | 0o600, 0)
        try #require(socket == 0)
        let changes = try ChangeSet(of: tree.descriptor, against: nil)
        #expect(changes.map(\.description) == ["A /a", "A /socket"])
        let summary = try LayerExport().write(changes, of: tree.descriptor, to: Archive())
        #expect(summary.sockets == 1 && summary.entries == 1)
    }

    @Test func refusesNamesThatWouldDelete() throws {
        let tree = try TemporaryDirectory("mkdir d; touch d/.wh.file d/.why d/.wh-ok")
        let error = #expect(throws: LayerArchiveError.self) { try Archive(of: tree, against: nil) }
        #expect(error?.code == .reservedName)
        #expect(error?.name == Array("d/.wh.file".utf8))
        let docker = try Archive(of: tree, against: nil, LayerExport(attributes: .docker))
        #expect(try Self.lines(docker) == ["directory d/", "file d/.wh-ok", "file d/.wh.file", "file d/.why"])
        // So does the deletion of such a file.
        try tree.shell("rm d/.wh-ok d/.why")
        let empty = try TemporaryDirectory("mkdir d")
        #expect(throws: LayerArchiveError.self) { try Archive(of: empty, against: tree) }
    }

    @Test func keepsExtendedAttributes() throws {
        let tree = try TemporaryDirectory("mkdir d; echo x >d/f; ln -s x l")
        guard tree.supportsAttributes else { return }
        try tree.shell("find . -exec touch -h -d @1 {} +")
        for (name, file) in [("user.b", "d"), ("user.a=%", "d/f"), ("user.large", "d/f")] {
            try tree.setAttribute(name, [UInt8](repeating: 0xaa, count: name == "user.large" ? 1000 : 1), of: file)
        }
        let archive = try Archive(of: tree, against: nil)
        let copy = try TemporaryDirectory()
        try copy.setAttribute("user.test", [1], of: ".")
        try archive.extract(into: copy)
        try copy.shell("touch -d @1 .")
        #expect(try copy.names() == tree.names())
        let docker = try Archive(of: tree, against: nil, LayerExport(attributes: .docker))
        #expect(try docker.entries().allSatisfy { $0.entry.attributes.isEmpty })
    }

    @Test(.enabled(if: geteuid() == 0, "needs the rights of root"))
    func rewritesCapabilitiesForDockerOnly() throws {
        let tree = try TemporaryDirectory("touch f")
        // Version 3 with root 1000 of a user namespace.
        let capability: [UInt8] = [1, 0, 0, 3, 0, 0x20] + [UInt8](repeating: 0, count: 14) + [0xe8, 3, 0, 0]
        try tree.setAttribute("security.capability", capability, of: "f")
        let all = try #require(try Archive(of: tree, against: nil).entries().first?.entry.attributes.first)
        #expect(all.value == capability)
        let docker = try Archive(of: tree, against: nil, LayerExport(attributes: .docker)).entries()
        let value = try #require(docker.first?.entry.attributes.first?.value)
        #expect(value == [1, 0, 0, 2] + capability[4..<20])
    }

    @Test func writesHolesAsZerosOrAsHoles() throws {
        let tree = try TemporaryDirectory(
            """
            truncate -s 10M sparse; printf data | dd of=sparse bs=1 seek=5000000 conv=notrunc 2>/dev/null
            truncate -s 3M empty; head -c 200000 /dev/urandom >dense
            """)
        let zeros = try Archive(of: tree, against: nil)
        let holes = try Archive(of: tree, against: nil, LayerExport(holes: .holes))
        #expect(zeros.bytes.count > 13 << 20)
        #expect(holes.bytes.count < 1 << 20)
        for archive in [zeros, holes] {
            let copy = try TemporaryDirectory()
            let summary = try archive.extract(into: copy)
            #expect(summary.size == 13 << 20 + 200_000)
            try copy.shell("cmp sparse \(tree.path)/sparse; cmp empty \(tree.path)/empty; cmp dense \(tree.path)/dense")
            try copy.shell("test $(stat -c %b sparse) -le 128; test $(stat -c %b empty) = 0")
        }
        let list = try Program.output(["tar", "-tvf", "-"], input: holes.bytes)
        #expect(String(decoding: list, as: UTF8.self).contains(" 10485760 "))
    }

    @Test func saysWhichFileWasChangedMeanwhile() throws {
        let tree = try TemporaryDirectory("mkdir d; touch d/f; echo x >g")
        let changes = try ChangeSet(of: tree.descriptor, against: nil)
        try tree.shell("rm d/f; mkfifo d/f")
        let error = #expect(throws: LayerArchiveError.self) {
            try LayerExport().write(changes, of: tree.descriptor, to: Archive())
        }
        #expect(error?.code == .changedMeanwhile)
        #expect(error?.name == Array("d/f".utf8))
        try tree.shell("rm -r d")
        let other = #expect(throws: LayerArchiveError.self) {
            try LayerExport().write(changes, of: tree.descriptor, to: Archive())
        }
        #expect(other?.code == .changedMeanwhile)
    }

    @Test func stopsWhenItsReaderHasGone() throws {
        _ = signal(SIGPIPE, SIG_IGN)
        let tree = try TemporaryDirectory("head -c 3000000 /dev/urandom >f")
        let pipe = try FileDescriptor.pipe(options: .closeOnExec)
        try pipe.readEnd.close()
        defer { try? pipe.writeEnd.close() }
        let changes = try ChangeSet(of: tree.descriptor, against: nil)
        let error = #expect(throws: LayerArchiveError.self) {
            try LayerExport().write(changes, of: tree.descriptor, to: pipe.writeEnd)
        }
        #expect(error?.code == .output && error?.errno == .brokenPipe)
        #expect(error?.description.contains("ended") == true)
    }

    @Test func canBeCancelledWithinAFile() throws {
        let tree = try TemporaryDirectory("truncate -s 1T huge")
        let asked = Counter()
        let export = LayerExport(cancellation: Cancellation { asked.next() > 10 })
        let changes = try ChangeSet(of: tree.descriptor, against: nil)
        let error = #expect(throws: LayerArchiveError.self) {
            try export.write(changes, of: tree.descriptor, to: Archive())
        }
        #expect(error?.code == .cancelled)
    }

    /// Such a name means a deletion in an archive.
    @Test func leavesReservedNamesOutOnRequest() throws {
        let tree = try TemporaryDirectory("mkdir -p .wh.d/sub; touch a .wh.a .wh.d/sub/f .wh.d-b; ln a h")
        let refusal = #expect(throws: LayerArchiveError.self) { try Archive(of: tree, against: nil) }
        #expect(refusal?.code == .reservedName)
        #expect(refusal?.name == Array(".wh.a".utf8))
        #expect(refusal?.description.contains("--skip-reserved") == true)
        // Refused before anything is written.
        let output = Archive()
        let changes = try ChangeSet(of: tree.descriptor, against: nil)
        _ = try? LayerExport().write(changes, of: tree.descriptor, to: output)
        #expect(output.bytes.isEmpty)
        let export = LayerExport(reservedNames: .leftOut)
        let summary = try export.write(changes, of: tree.descriptor, to: output)
        #expect(summary.reservedNames == 5)
        #expect(summary.entries == 2)
        #expect(try output.entries().map { String(decoding: $0.entry.path, as: UTF8.self) } == ["a", "h"])
        #expect(changes.contains { $0.path.string == "/.wh.d/sub/f" })
    }

    /// A path that is longer than what a system call takes.
    @Test func pathsOfAnyLengthGoOutAndIn() throws {
        let tree = try TemporaryDirectory(
            """
            n=$(printf '%0200d' 0)
            for i in $(seq 30); do mkdir "$n"; touch -d @7 "$n/f$i"; chmod 751 "$n"; cd -P "./$n"; done
            echo deep >file; ln file hard; mkfifo fifo; ln -s file link; mkdir gone; touch gone/x; cd /
            """)
        let archive = try Archive(of: tree, against: nil)
        #expect(try archive.entries().contains { $0.entry.path.count > 6000 })
        let copy = try TemporaryDirectory()
        try archive.extract(into: copy)
        #expect(try copy.names() == tree.names())
        #expect(try Archive(of: copy, against: nil).bytes == archive.bytes)
        // Deletions there, and links on the way.
        let prefix = Array(repeating: String(repeating: "0", count: 200), count: 30).joined(separator: "/")
        let links = [
            (TarEntry.make(.symbolicLink, "up", to: ".."), ""), (.make(.symbolicLink, "root", to: "/up/."), ""),
            (.make(.file, prefix + "/gone/.wh.x"), ""), (.make(.file, prefix + "/.wh.hard"), ""),
            (.make(.symbolicLink, prefix + "/top", to: "/root/../../" + String(repeating: "0", count: 200)), ""),
            (.make(.file, prefix + "/top/f-new"), ""), (.make(.file, prefix + "/made/on/the/way"), ""),
            (.make(.hardLink, prefix + "/top/hard-new", to: prefix + "/file"), ""),
        ]
        try Archive(links).extract(into: copy)
        let names = try copy.names()
        #expect(names.contains(String(repeating: "0", count: 200) + "/f-new"))
        #expect(names.contains(String(repeating: "0", count: 200) + "/hard-new"))
        #expect(names.contains { $0.hasSuffix("/made/on/the/way") })
        #expect(!names.contains { $0.hasSuffix("/gone/x") || $0.hasSuffix("/hard") })
        // A link that leads to itself.
        let loop = [
            (TarEntry.make(.symbolicLink, prefix + "/loop", to: "loop"), ""), (.make(.file, prefix + "/loop/x"), ""),
        ]
        let error = #expect(throws: LayerArchiveError.self) { try Archive(loop).extract(into: copy) }
        #expect(error?.errno == .tooManySymbolicLinkLevels)
    }
}
