import LayerArchive
import SystemPackage
import Testing

@Suite struct TarReaderTests {
    /// A tree with long names, links, a node that anybody can make, and odd names.
    private static func tree() throws -> TemporaryDirectory {
        try TemporaryDirectory(
            """
            mkdir -p sub/dir; echo contents >sub/file; ln sub/file sub/hard; ln -s ../elsewhere sub/symbolic
            mkfifo sub/fifo; chmod 4755 sub/file; chmod 1777 sub/dir
            n=$(printf '%0200d' 0); echo long >"sub/$n"; ln -s "$n/$n" sub/longlink
            p=sub; for i in 1 2 3 4 5 6 7 8 9; do p=$p/component-of-a-long-path-$i; done; mkdir -p "$p"; echo deep >"$p/f"
            printf x >"sub/$(printf 'bad\\377name')"; echo u >sub/ünïcode
            head -c 100000 /dev/zero | tr '\\0' z >sub/large
            find . -exec touch -h -d @1600000000 {} +
            """)
    }

    struct Form: CustomStringConvertible {
        let arguments: [String]
        var description: String { arguments.joined(separator: " ") }
    }

    static let forms = [
        ["tar", "--format=v7"], ["tar", "--format=ustar"], ["tar", "--format=oldgnu"], ["tar", "--format=gnu"],
        ["tar", "--format=posix"], ["bsdtar", "--format=ustar"], ["bsdtar", "--format=pax"],
        ["bsdtar", "--format=gnutar"],
    ].map(Form.init)

    @Test(arguments: forms)
    func readsWhatOthersWrite(form: Form) throws {
        guard Program.isInstalled(form.arguments[0]) else { return }
        let tree = try Self.tree()
        // The old forms have no room for these files, so their writers leave them out.
        if form.description.contains("v7") || form.description.contains("ustar") {
            try tree.shell("rm -r sub/component* sub/longlink sub/0* sub/fifo; touch -d @1600000000 sub")
        }
        let bytes = try Program.output(
            ["env", "LC_ALL=C.UTF-8"] + form.arguments + ["-C", tree.path.string, "-cf", "-", "sub"])
        let copy = try TemporaryDirectory()
        try Archive(bytes).extract(into: copy)
        try copy.shell("touch -d @1600000000 .")
        try tree.shell("touch -d @1600000000 .")
        #expect(try copy.listing() == tree.listing())
    }

    @Test(arguments: ["oldgnu", "posix 0.0", "posix 0.1", "posix 1.0"])
    func readsSparseFilesOfGNUTar(form: String) throws {
        let words = form.split(separator: " ").map(String.init)
        // More than the 4 and the 21 ranges that the old form puts into one header.
        let tree = try TemporaryDirectory(
            """
            truncate -s 9000000 sparse; truncate -s 3000000 hole
            for i in $(seq 0 39); do printf 'data %s' $i | dd of=sparse bs=1 seek=$((i * 200000 + 4096)) conv=notrunc 2>/dev/null; done
            find . -exec touch -d @1600000000 {} +
            """)
        var arguments = ["tar", "-C", tree.path.string, "--format=\(words[0])", "-S", "-cf", "-", "."]
        if words.count > 1 { arguments.insert("--sparse-version=\(words[1])", at: 1) }
        let archive = Archive(try Program.output(arguments))
        #expect(archive.bytes.count < 1_000_000)
        let sparse = try #require(archive.entries().first { $0.entry.path == Array("./sparse".utf8) })
        #expect(sparse.entry.size == 9_000_000)
        #expect(try #require(sparse.entry.dataRanges).count >= 39)
        #expect(sparse.data.count < 1_000_000)
        let copy = try TemporaryDirectory()
        let summary = try archive.extract(into: copy)
        #expect(summary.size == 12_000_000)
        #expect(try copy.listing() == tree.listing())
        let blocks = try Program.output(["stat", "-c", "%b", copy.path.appending("hole").string])
        #expect(String(decoding: blocks, as: UTF8.self) == "0\n")
    }

    @Test func readsLargeNumbersOfGNUTar() throws {
        let tree = try TemporaryDirectory("truncate -s 20G large; touch -d @-1000 old; touch -d @12000000000 future")
        let files = ["large", "old", "future"]
        for form in ["gnu", "posix"] {
            let bytes = try Program.output(
                ["sh", "-c", "cd \"$1\"; shift; tar \"$@\" | head -c 1M", "sh", tree.path.string, "--format=" + form]
                    + ["--owner=:3000000", "--group=:4000000", "-cf", "-"] + files.reversed())
            let reader = TarReader(Archive(bytes).input())
            let future = try #require(try reader.next())
            #expect(future.modificationTime.seconds == 12_000_000_000)
            #expect(future.userID == 3_000_000 && future.groupID == 4_000_000)
            #expect(try #require(try reader.next()).modificationTime.seconds == -1000)
            #expect(try #require(try reader.next()).size == 20 << 30)
            let error = #expect(throws: LayerArchiveError.self) { try reader.next() }
            #expect(error?.code == .truncated)
        }
    }

    @Test func honoursGlobalHeaders() throws {
        let tree = try TemporaryDirectory("echo x >file")
        let bytes = try Program.output([
            "tar", "-C", tree.path.string, "--format=posix", "--pax-option=globexthdr.name=g,uid=4242,comment=hello",
            "-cf", "-", "file",
        ])
        let entries = try Archive(bytes).entries()
        #expect(entries.map(\.entry.userID) == [4242])
        #expect(entries.map(\.entry.path) == [Array("file".utf8)])
    }

    @Test(arguments: [1, 7, 512, 1000])
    func takesInputInAnyPieces(pieces: Int) throws {
        let archive = try Archive([
            (.make(.file, "a"), String(repeating: "a", count: 1000)), (.make(.file, "b"), "b"),
            (.make(.file, String(repeating: "c", count: 300)), ""),
        ])
        let entries = try archive.entries(pieces: pieces)
        #expect(entries.map(\.data.count) == [1000, 1, 0])
    }

    @Test func passesOverContentsThatAreNotRead() throws {
        let archive = try Archive([
            (.make(.file, "a"), String(repeating: "a", count: 3_000_000)), (.make(.file, "b"), "b"),
        ])
        let reader = TarReader(archive.input())
        #expect(try reader.next()?.path == Array("a".utf8))
        #expect(try reader.next()?.path == Array("b".utf8))
        #expect(try reader.next() == nil)
        #expect(try reader.next() == nil)
    }

    @Test func endsAtTheMark() throws {
        let whole = try Archive([(.make(.file, "a"), "a")]).bytes
        #expect(throws: LayerArchiveError.self) { try Archive().entries() }
        // Some programs write one block of zeros only.
        #expect(try Archive(Array(whole.dropLast(512))).entries().count == 1)
        // Bytes behind the end of the archive are not part of it.
        #expect(try Archive(whole + whole).entries().count == 1)
        let lone = Archive(Array(whole.dropLast(512)) + whole)
        #expect(throws: LayerArchiveError.self) { try lone.entries() }
    }

    @Test func tellsWhereItWentWrong() throws {
        var bytes = try Archive([(.make(.file, "good"), "x"), (.make(.file, "damaged"), "y")]).bytes
        bytes[1024 + 124] = UInt8(ascii: "x")
        let error = #expect(throws: LayerArchiveError.self) { try Archive(bytes).entries() }
        #expect(error?.code == .malformed)
        #expect(error?.offset == 1024)
        #expect(error?.description == "the checksum of a header is wrong (entry at byte 1024 of the archive)")
    }
}
