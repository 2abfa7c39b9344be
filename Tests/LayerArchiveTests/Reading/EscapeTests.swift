import LayerArchive
import SystemPackage
import Testing

/// Archives that try to reach files outside of the tree that they are unpacked into.
@Suite struct EscapeTests {
    /// A root within a directory that has something to lose.
    private final class Prison {
        let outside: TemporaryDirectory
        let root: FileDescriptor
        private let before: [UInt8]

        init(_ script: String = "true") throws {
            outside = try TemporaryDirectory(
                """
                mkdir -p root victim/sub; echo secret >victim/secret; chmod 600 victim/secret; touch -d @1 victim
                cd root
                """ + "\n" + script)
            root = try FileDescriptor.open(
                outside.path.appending("root"), .readOnly, options: [.directory, .closeOnExec])
            before = try Self.listing(outside)
        }

        deinit { try? root.close() }

        private static func listing(_ outside: TemporaryDirectory) throws -> [UInt8] {
            try Program.output(["tar", "-C", outside.path.string, "--sort=name", "-cf", "-", "victim"])
                + outside.names().filter { !$0.hasPrefix("root/") }.joined(separator: "\n").utf8
        }

        /// Unpacks the archive and checks that nothing outside has changed.
        func unpack(_ entries: [(TarEntry, String)]) throws -> LayerArchiveError? {
            var caught: LayerArchiveError?
            do {
                try LayerExtraction().extract(Archive(entries).input(), into: root)
            } catch {
                caught = error as? LayerArchiveError
                #expect(caught != nil)
            }
            #expect(try Self.listing(outside) == before)
            return caught
        }

        func exists(_ path: String) -> Bool {
            (try? FileDescriptor.open(outside.path.appending(path), .readOnly).close()) != nil
        }
    }

    @Test(arguments: ["../victim/x", "a/../../victim/x", "../../etc/x", "..", "./../victim", "a/b/../../../victim/sub"])
    func namesWithDots(name: String) throws {
        for kind in [TarEntry.Kind.file, .directory, .symbolicLink, .fifo] {
            let error = try Prison().unpack([(.make(kind, name, to: "x"), "")])
            #expect(error?.code == .outsideRoot)
            #expect(error?.name == Array(name.utf8) + (kind == .directory ? [UInt8(ascii: "/")] : []))
            #expect(error?.offset == 0)
        }
    }

    @Test func absoluteNamesAreBelowTheRoot() throws {
        let prison = try Prison()
        let name = prison.outside.path.appending("victim/new").string
        #expect(try prison.unpack([(.make(.file, name), "x"), (.make(.directory, "//double//slash/"), "")]) == nil)
        #expect(prison.exists("root" + name))
        #expect(prison.exists("root/double/slash"))
    }

    @Test(arguments: ["../victim", "../../../../../../../../../..", "/", "loop"])
    func symbolicLinksAsParents(target: String) throws {
        for kind in [TarEntry.Kind.file, .directory, .fifo, .symbolicLink] {
            _ = try Prison().unpack([
                (.make(.symbolicLink, "loop", to: target), ""), (.make(kind, "loop/victim/new", to: "t"), ""),
                (.make(kind, "loop/new", to: "t"), ""), (.make(kind, "loop/secret", to: "t"), ""),
            ])
        }
    }

    @Test func absoluteSymbolicLinksStayWithinTheRoot() throws {
        let prison = try Prison()
        let target = prison.outside.path.appending("victim").string
        // Within the root there is no such directory.
        let error = try prison.unpack([
            (.make(.symbolicLink, "link", to: target), ""), (.make(.file, "link/new"), "x"),
        ])
        #expect(error?.code == .file)
        // And when there is one, it is that.
        #expect(
            try prison.unpack([
                (.make(.directory, target), ""), (.make(.symbolicLink, "link", to: target), ""),
                (.make(.file, "link/new"), "x"),
            ]) == nil)
        #expect(prison.exists("root" + target + "/new"))
    }

    @Test func linksToProcessesAreNotFollowed() throws {
        for target in ["/proc/self/root", "/proc/self/cwd", "/proc/1/root"] {
            let prison = try Prison("mkdir -p proc")
            let error = try prison.unpack([
                (.make(.symbolicLink, "link", to: target), ""), (.make(.file, "link/tmp/escaped"), ""),
            ])
            #expect(error?.code == .file)
        }
    }

    @Test(arguments: ["../victim/secret", "a/../../victim/secret", "link/secret", "link/../../victim/secret"])
    func hardLinks(target: String) throws {
        let prison = try Prison("ln -s ../victim link")
        let error = try prison.unpack([(.make(.hardLink, "stolen", to: target), "")])
        #expect(error != nil)
        #expect(!prison.exists("root/stolen"))
    }

    @Test(arguments: [
        "../victim/.wh.secret", "link/.wh.secret", "link/.wh..wh..opq", "../victim/.wh..wh..opq", "../.wh.victim",
        "link/sub/../.wh.secret", ".wh...", ".wh..", ".wh.", "sub/.wh...", "sub/.wh..", "sub/.wh.",
    ])
    func deletions(name: String) throws {
        let prison = try Prison("ln -s ../victim link; mkdir sub; echo kept >sub/kept")
        _ = try prison.unpack([(.make(.file, name), "")])
        #expect(prison.exists("root/sub/kept"))
    }

    @Test func deletionOfALinkIsNotOfItsTarget() throws {
        let prison = try Prison("ln -s ../victim link; ln -s ../victim other")
        #expect(try prison.unpack([(.make(.file, ".wh.link"), ""), (.make(.directory, "other"), "")]) == nil)
        #expect(!prison.exists("root/link"))
    }

    /// Owner, permissions and times of directories are set when all else is done.
    @Test func directoriesThatBecomeLinks() throws {
        let prison = try Prison()
        let error = try prison.unpack([
            (.make(.directory, "a", permissions: 0o777), ""), (.make(.directory, "a/sub", permissions: 0o777), ""),
            (.make(.file, ".wh.a"), ""), (.make(.symbolicLink, "a", to: "../victim"), ""),
        ])
        #expect(error == nil)
    }

    @Test func linksThatTakeThePlaceOfAParent() throws {
        let prison = try Prison()
        _ = try prison.unpack([
            (.make(.directory, "a"), ""), (.make(.file, "a/one"), "1"),
            (.make(.symbolicLink, "a", to: "../victim"), ""), (.make(.file, "a/two"), "2"),
            (.make(.file, "a/secret"), "overwritten"),
        ])
        #expect(!prison.exists("victim/two"))
    }

    @Test func existingFilesAreReplacedAndNotWrittenTo() throws {
        let prison = try Prison("ln ../victim/secret hard; ln -s ../victim/secret symbolic; mkfifo fifo")
        let error = try prison.unpack([
            (.make(.file, "hard"), "overwritten"), (.make(.file, "symbolic"), "overwritten"),
            (.make(.file, "fifo"), "does not block"),
        ])
        #expect(error == nil)
        #expect(prison.exists("root/fifo"))
    }

    @Test func theRootCanOnlyBeADirectory() throws {
        for name in [".", "./", "/", "a/.."] {
            #expect(try Prison().unpack([(.make(.file, name), "x")])?.code == .malformed)
            #expect(try Prison().unpack([(.make(.directory, name), "")]) == nil)
        }
    }
}
