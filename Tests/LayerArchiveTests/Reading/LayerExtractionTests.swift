import Glibc
import LayerArchive
import SystemPackage
import Testing

@Suite struct LayerExtractionTests {
    @Test func deletes() throws {
        let tree = try TemporaryDirectory("mkdir -p a/b/c d; touch a/b/c/file a/b/other d/file d/kept e")
        let summary = try Archive([
            (.make(.file, "a/.wh.b"), ""), (.make(.file, "d/.wh.file"), ""), (.make(.file, ".wh.e"), ""),
            (.make(.file, "d/.wh.absent"), ""), (.make(.file, "absent/.wh.absent"), ""),
        ]).extract(into: tree)
        #expect(try tree.names() == ["a", "d", "d/kept"])
        #expect(summary.entries == 5)
    }

    @Test func makesDirectoriesOpaque() throws {
        let tree = try TemporaryDirectory(
            "mkdir -p d/keep/gone d/gone/x d/implied other; touch d/f d/keep/f d/gone/x/f d/implied/old other/f")
        try Archive([
            (.make(.directory, "d"), ""), (.make(.directory, "d/keep"), ""), (.make(.file, "d/keep/new"), ""),
            (.make(.file, "d/implied/new"), ""), (.make(.file, "d/.wh..wh..opq"), ""), (.make(.file, "d/late"), ""),
        ]).extract(into: tree)
        #expect(
            try tree.names() == [
                "d", "d/implied", "d/implied/new", "d/keep", "d/keep/new", "d/late", "other", "other/f",
            ])
    }

    @Test func makesTheRootOpaque() throws {
        let tree = try TemporaryDirectory("mkdir -p a/b; touch c")
        try Archive([(.make(.file, ".wh..wh..opq"), ""), (.make(.file, "new"), "")]).extract(into: tree)
        #expect(try tree.names() == ["new"])
    }

    /// A hard link from below is another name of a file that is to be deleted.
    @Test func opaqueDirectoriesLoseFilesThatGotAnotherName() throws {
        let tree = try TemporaryDirectory("mkdir d; echo x >d/old")
        try Archive([(.make(.hardLink, "new", to: "d/old"), ""), (.make(.file, "d/.wh..wh..opq"), "")])
            .extract(into: tree)
        #expect(try tree.names() == ["d", "new"])
    }

    @Test func linksFilesThatAufsKeepsApart() throws {
        let tree = try TemporaryDirectory()
        try Archive([
            (.make(.directory, ".wh..wh.plnk"), ""), (.make(.file, ".wh..wh.plnk/12.34"), "shared"),
            (.make(.file, ".wh..wh.aufs"), ""), (.make(.directory, ".wh..wh.orph"), ""),
            (.make(.file, ".wh..wh.orph/x"), ""), (.make(.directory, "d"), ""),
            (.make(.hardLink, "d/a", to: ".wh..wh.plnk/12.34"), ""),
            (.make(.hardLink, "d/b", to: "/.wh..wh.plnk/12.34"), ""), (.make(.file, "d/.wh..wh.foo"), ""),
        ]).extract(into: tree)
        #expect(try tree.names() == ["d", "d/a", "d/b"])
        #expect(try tree.contents(of: "d/a") == Array("shared".utf8))
        try tree.shell("test d/a -ef d/b; test $(stat -c %h d/a) = 2")
    }

    @Test func replacesWhatIsInTheWay() throws {
        let tree = try TemporaryDirectory(
            "mkdir -p dir/sub merged; echo x >dir/sub/file; echo x >file; ln -s file link; touch merged/kept")
        try Archive([
            (.make(.file, "dir"), "now a file"), (.make(.directory, "file"), ""), (.make(.file, "file/inside"), ""),
            (.make(.directory, "link"), ""), (.make(.directory, "merged", permissions: 0o700), ""),
            (.make(.symbolicLink, "late", to: "first"), ""), (.make(.symbolicLink, "late", to: "second"), ""),
        ]).extract(into: tree)
        #expect(try tree.names() == ["dir", "file", "file/inside", "late", "link", "merged", "merged/kept"])
        try tree.shell(
            """
            test -f dir; test "$(cat dir)" = 'now a file'; test -d link; test ! -L link
            test "$(readlink late)" = second; test "$(stat -c %a merged)" = 700
            """)
    }

    @Test func makesParentsThatTheArchiveLacks() throws {
        let tree = try TemporaryDirectory("mkdir real; ln -s real link")
        try Archive([(.make(.file, "a/b/c"), "x"), (.make(.file, "link/d/e"), "x")]).extract(into: tree)
        #expect(try tree.names() == ["a", "a/b", "a/b/c", "link", "real", "real/d", "real/d/e"])
        try tree.shell("test $(stat -c %a a/b) = 755")
    }

    @Test func setsTimesAndPermissionsOfDirectoriesAtLast() throws {
        let tree = try TemporaryDirectory("mkdir old")
        var readOnly = TarEntry.make(.directory, "d", permissions: 0o1555)
        readOnly.modificationTime = Timestamp(seconds: 1000, nanoseconds: 500)
        var file = TarEntry.make(.file, "d/e/file", permissions: 0o4711)
        file.modificationTime = Timestamp(seconds: -1, nanoseconds: 250_000_000)
        var link = TarEntry.make(.symbolicLink, "d/link", to: "nowhere")
        link.modificationTime = Timestamp(seconds: 2000)
        try Archive([
            (.make(.directory, "."), ""), (readOnly, ""), (.make(.directory, "d/e", permissions: 0o500), ""),
            (file, "x"), (link, ""), (.make(.file, "old/f"), ""), (.make(.directory, "old"), ""),
            // The last entry of a directory counts.
            (.make(.directory, "old", permissions: 0o711), ""),
        ]).extract(into: tree)
        try tree.shell(
            """
            check() { test "$(stat -c "%a %Y" "$1")" = "$2"; }
            check . '755 1600000000'; check d '1555 1000'; check d/e '500 1600000000'; check d/e/file '4711 -1'
            check d/link '777 2000'; check old '711 1600000000'; test "$(stat -c %.9Y d)" = 1000.000000500
            chmod u+w d/e d
            """)
    }

    @Test func leavesHolesForZeros() throws {
        let tree = try TemporaryDirectory()
        var contents = [UInt8](repeating: 0, count: 5 << 20)
        contents[3 << 20] = 1
        let archive = Archive()
        let writer = TarWriter(archive)
        var entry = TarEntry.make(.file, "zeros")
        entry.size = Int64(contents.count)
        try writer.append(entry)
        try writer.write(contents.span)
        try writer.finish()
        let summary = try archive.extract(into: tree)
        #expect(summary.size == 5 << 20)
        #expect(try tree.contents(of: "zeros") == contents)
        let blocks = try Program.output(["stat", "-c", "%b", tree.path.appending("zeros").string])
        #expect(String(decoding: blocks, as: UTF8.self) == "128\n")
    }

    @Test func keepsHardLinks() throws {
        let tree = try TemporaryDirectory("echo old >old; ln -s nowhere symbolic; echo x >a")
        try Archive([
            (.make(.hardLink, "new", to: "old"), ""), (.make(.hardLink, "./sub/new", to: "/sub/../old"), ""),
            (.make(.hardLink, "other", to: "symbolic"), ""), (.make(.hardLink, "a", to: "old"), ""),
            // Another name of itself, which must not be removed first.
            (.make(.hardLink, "old", to: "old"), ""), (.make(.hardLink, "old", to: "new"), ""),
        ]).extract(into: tree)
        try tree.shell("test $(stat -c %h old) = 4; test old -ef sub/new; test -L other; test old -ef a")
        let error = #expect(throws: LayerArchiveError.self) {
            try Archive([(.make(.hardLink, "dangling", to: "absent"), "")]).extract(into: tree)
        }
        #expect(error?.code == .file)
        #expect(error?.errno == .noSuchFileOrDirectory)
    }

    @Test func restoresExtendedAttributes() throws {
        let tree = try TemporaryDirectory("mkdir merged")
        guard tree.supportsAttributes else { return }
        try tree.setAttribute("user.kept", Array("kept".utf8), of: "merged")
        let attribute = ExtendedAttribute(name: Array("user.test".utf8), value: [0, 1, 2])
        var file = TarEntry.make(.file, "file", permissions: 0o400)
        file.attributes = [attribute, ExtendedAttribute(name: Array("user.empty".utf8), value: [])]
        var directory = TarEntry.make(.directory, "merged")
        directory.attributes = [attribute]
        // Only files and directories can have one.
        var link = TarEntry.make(.symbolicLink, "link", to: "file")
        link.attributes = [attribute]
        let summary = try Archive([(file, "x"), (directory, ""), (link, "")]).extract(into: tree)
        #expect(summary.refusedAttributes == 1)
        #expect(tree.attribute("user.test", of: "file") == [0, 1, 2])
        #expect(tree.attribute("user.empty", of: "file") == [])
        #expect(tree.attribute("user.test", of: "merged") == [0, 1, 2])
        #expect(tree.attribute("user.kept", of: "merged") == Array("kept".utf8))
    }

    /// An access control list that a directory of a layer below gives to new files is not in the archive.
    @Test func filesInheritNoAccessLists() throws {
        let tree = try TemporaryDirectory("mkdir below")
        // struct posix_acl_xattr: version 2, then tag, permissions and ID of user, user 1, group, mask and others.
        var list: [UInt8] = [2, 0, 0, 0]
        for (tag, permissions, id) in [(1, 7, 0xff), (2, 7, 1), (4, 5, 0xff), (0x10, 7, 0xff), (0x20, 5, 0xff)] {
            let number: [UInt8] = id == 1 ? [1, 0, 0, 0] : [0xff, 0xff, 0xff, 0xff]
            list += [UInt8(tag), 0, UInt8(permissions), 0] + number
        }
        guard (try? tree.setAttribute("system.posix_acl_default", list, of: "below")) != nil else { return }
        var listed = TarEntry.make(.directory, "listed")
        listed.attributes = [ExtendedAttribute(name: Array("system.posix_acl_default".utf8), value: list)]
        try Archive([
            (.make(.file, "below/file"), ""), (.make(.directory, "below/directory"), ""), (listed, ""),
            (.make(.file, "listed/file"), ""), (.make(.fifo, "below/fifo"), ""),
        ]).extract(into: tree)
        for name in ["below/file", "below/directory", "listed/file", "below/fifo"] {
            #expect(tree.attribute("system.posix_acl_access", of: name) == nil)
            #expect(tree.attribute("system.posix_acl_default", of: name) == nil)
        }
        #expect(tree.attribute("system.posix_acl_default", of: "listed") == list)
        #expect(tree.attribute("system.posix_acl_default", of: "below") == list)
        try tree.shell("test $(stat -c %a below/file) = 644; test $(stat -c %a below/directory) = 755")
    }

    @Test(.enabled(if: geteuid() == 0, "needs the rights of root"))
    func restoresOwnersAndDevices() throws {
        let tree = try TemporaryDirectory()
        var device = TarEntry.make(.characterDevice, "device", permissions: 0o620)
        (device.deviceMajor, device.deviceMinor, device.userID, device.groupID) = (300, 70_000, 5, 6)
        var file = TarEntry.make(.file, "file", permissions: 0o6755)
        (file.userID, file.groupID) = (3_000_000, 4_000_000)
        let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20] + [UInt8](repeating: 0, count: 14)
        file.attributes = [ExtendedAttribute(name: Array("security.capability".utf8), value: capability)]
        var link = TarEntry.make(.symbolicLink, "link", to: "/nowhere")
        link.userID = 77
        link.attributes = [ExtendedAttribute(name: Array("trusted.t".utf8), value: [7])]
        try Archive([(device, ""), (file, "x"), (link, "")]).extract(into: tree)
        try tree.shell(
            """
            test "$(stat -c '%a %t %T %u %g' device)" = '620 12c 11170 5 6'
            test "$(stat -c '%a %u %g' file)" = '6755 3000000 4000000'; test "$(stat -c %u link)" = 77
            """)
        #expect(tree.attribute("security.capability", of: "file") == capability)
        #expect(tree.attribute("trusted.t", of: "link") == [7])
    }

    @Test func countsAsDockerDoes() throws {
        let summary = try Archive([
            (.make(.file, "a"), "12345"), (.make(.hardLink, "b", to: "a"), ""), (.make(.file, "a"), "123"),
            (.make(.file, ".wh.c"), ""), (.make(.symbolicLink, "d", to: "eeee"), ""),
        ]).extract(into: TemporaryDirectory())
        #expect(summary.size == 8)
        #expect(summary.entries == 5)
    }

    @Test func canBeCancelled() throws {
        let archive = try Archive((0..<50).map { (.make(.file, "file\($0)"), "x") })
        let tree = try TemporaryDirectory()
        let asked = Counter()
        let extraction = LayerExtraction(cancellation: Cancellation { asked.next() > 40 })
        let error = #expect(throws: LayerArchiveError.self) {
            try extraction.extract(archive.input(), into: tree.descriptor)
        }
        #expect(error?.code == .cancelled)
        #expect(try (1..<50).contains(tree.names().count))
    }

    @Test func readsAPipeToItsEnd() throws {
        let tree = try TemporaryDirectory("mkdir up down; head -c 3000000 /dev/urandom >up/file; echo x >up/other")
        // GNU tar fills up its archive to whole records, and would fail if nobody read them.
        let script = "tar -C \"$1\" -b 2000 -cf - . 2>/dev/null; echo $? >\"$2\""
        let pipe = try FileDescriptor.pipe(options: .closeOnExec)
        let writer = try Writer(["sh", "-c", script, "sh", tree.path.appending("up").string], pipe.writeEnd, tree)
        let down = try FileDescriptor.open(tree.path.appending("down"), .readOnly, options: [.directory, .closeOnExec])
        defer { try? down.close() }
        try LayerExtraction().extract(pipe.readEnd, into: down)
        #expect(try writer.status() == "0\n")
        try pipe.readEnd.close()
        try tree.shell("cmp up/file down/file; cmp up/other down/other")
    }

    /// Another program that writes into a pipe while the test reads.
    private struct Writer {
        private let tree: TemporaryDirectory

        init(_ arguments: [String], _ pipe: FileDescriptor, _ tree: TemporaryDirectory) throws {
            self.tree = tree
            let result = tree.path.appending("status").string
            // Left to run; the pipe here is closed, so that the end of the program is the end of the pipe.
            try Program.run(
                ["sh", "-c", "\"$@\" & ", "sh"] + arguments + [result], output: pipe)
            try pipe.close()
        }

        func status() throws -> String {
            try tree.shell("for i in $(seq 100); do test -s status && break; sleep 0.05; done")
            return String(decoding: try tree.contents(of: "status"), as: UTF8.self)
        }
    }
}
