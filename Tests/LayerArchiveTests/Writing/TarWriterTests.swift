import Glibc
import LayerArchive
import SystemPackage
import Testing

@Suite struct TarWriterTests {
    private static func variety() throws -> Archive {
        var special = TarEntry.make(.file, "dir/special", permissions: 0o4755)
        special.userID = 3_000_000
        special.groupID = 4_000_000
        special.modificationTime = Timestamp(seconds: -2, nanoseconds: 500_000_000)
        special.attributes = [
            ExtendedAttribute(name: Array("user.a=b%c".utf8), value: Array("v=\n\0".utf8)),
            ExtendedAttribute(name: Array("user.empty".utf8), value: []),
        ]
        var device = TarEntry.make(.characterDevice, "dir/device")
        (device.deviceMajor, device.deviceMinor) = (300, 70_000)
        let longName = "dir/" + String(repeating: "n", count: 200)
        return try Archive([
            (.make(.directory, "dir"), ""),
            (special, "contents"),
            (.make(.file, longName), "long"),
            (.make(.hardLink, "dir/hard", to: longName), ""),
            (.make(.symbolicLink, "dir/symbolic", to: String(repeating: "t/", count: 150)), ""),
            (.make(.file, "dir/ünï\ncode"), String(repeating: "x", count: 513)),
            (.make(.fifo, "dir/fifo"), ""),
            (device, ""),
        ])
    }

    @Test func isReadBackAsItWasWritten() throws {
        let entries = try Self.variety().entries()
        #expect(entries.map(\.data.count) == [0, 8, 4, 0, 0, 513, 0, 0])
        let special = try #require(entries.dropFirst().first?.entry)
        #expect(special.permissions == 0o4755)
        #expect(special.userID == 3_000_000 && special.groupID == 4_000_000)
        #expect(special.modificationTime == Timestamp(seconds: -2, nanoseconds: 500_000_000))
        #expect(special.attributes.map(\.name) == [Array("user.a=b%c".utf8), Array("user.empty".utf8)])
        #expect(special.attributes.map(\.value) == [Array("v=\n\0".utf8), []])
        let device = try #require(entries.last?.entry)
        #expect(device.deviceMajor == 300 && device.deviceMinor == 70_000)
        #expect(entries[3].entry.linkTarget.count == 204)
        #expect(entries[4].entry.linkTarget.count == 300)
    }

    @Test(arguments: ["tar", "bsdtar"])
    func isListedByOthers(program: String) throws {
        guard program == "tar" || Program.isInstalled(program) else { return }
        let list = try Program.output(
            ["env", "LC_ALL=C.UTF-8", "TZ=UTC", program, "-tvf", "-", "--numeric-owner"], input: Self.variety().bytes)
        let lines = String(decoding: list, as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 8)
        #expect(lines[0].hasPrefix("drwxr-xr-x") && lines[0].hasSuffix("dir/"))
        #expect(lines[1].hasPrefix("-rwsr-xr-x") && lines[1].contains("3000000") && lines[1].contains("4000000"))
        #expect(lines[1].contains("1969"))
        #expect(lines[3].contains("link to dir/nnn"))
        #expect(lines[4].contains("symbolic -> t/t/t/"))
        #expect(lines[7].hasPrefix("crw-r--r--") && lines[7].contains("300,70000"))
    }

    @Test(arguments: ["tar", "bsdtar"])
    func keepsNamesThatAreNoText(program: String) throws {
        guard program == "tar" || Program.isInstalled(program) else { return }
        let names: [[UInt8]] = [
            [0x62, 0xff, 0x63], [0xc3], Array("ü".utf8), [UInt8](repeating: 0xfe, count: 150), Array("a\nb".utf8),
        ]
        let archive = Archive()
        let writer = TarWriter(archive)
        for name in names { try writer.append(TarEntry(path: name, kind: .directory, permissions: 0o755)) }
        try writer.finish()
        let tree = try TemporaryDirectory()
        _ = try Program.output(
            ["env", "LC_ALL=C.UTF-8", program, "-C", tree.path.string, "-xf", "-"], input: archive.bytes)
        let found = try Program.output(["find", tree.path.string, "-mindepth", "1", "-printf", "%P\\0"])
        #expect(Set(found.split(separator: 0).map(Array.init)) == Set(names))
    }

    @Test(arguments: ["tar", "bsdtar"])
    func writesHolesThatOthersRead(program: String) throws {
        guard program == "tar" || Program.isInstalled(program) else { return }
        var entry = TarEntry.make(.file, "sparse")
        entry.size = 10_000_000
        entry.dataRanges = [1_048_576..<1_049_088, 5_000_192..<5_000_195]
        let archive = try Archive([(entry, String(repeating: "a", count: 512) + "def")])
        #expect(archive.bytes.count < 10_000)
        let tree = try TemporaryDirectory()
        _ = try Program.output([program, "-C", tree.path.string, "-xf", "-"], input: archive.bytes)
        var expected = [UInt8](repeating: 0, count: 10_000_000)
        expected.replaceSubrange(1_048_576..<1_049_088, with: String(repeating: "a", count: 512).utf8)
        expected.replaceSubrange(5_000_192..<5_000_195, with: "def".utf8)
        #expect(try tree.contents(of: "sparse") == expected)
    }

    @Test func refusesContentsOfAnotherSize() throws {
        let writer = TarWriter(Archive())
        var entry = TarEntry.make(.file, "file")
        entry.size = 3
        try writer.append(entry)
        let error = #expect(throws: LayerArchiveError.self) { try writer.write([1, 2, 3, 4].span) }
        #expect(error?.code == .misuse)
        let other = #expect(throws: LayerArchiveError.self) { try writer.finish() }
        #expect(other?.code == .misuse)
    }

    @Test func saysWhyTheOutputFailed() throws {
        _ = signal(SIGPIPE, SIG_IGN)
        let pipe = try FileDescriptor.pipe(options: .closeOnExec)
        try pipe.readEnd.close()
        defer { try? pipe.writeEnd.close() }
        let writer = TarWriter(pipe.writeEnd)
        try writer.append(.make(.directory, "directory"))
        let error = #expect(throws: LayerArchiveError.self) { try writer.finish() }
        #expect(error?.code == .output)
        #expect(error?.errno == .brokenPipe)
    }
}
