import LayerArchive
import SystemPackage
import TestSupport
import Testing

/// Archives that somebody made to do harm, or that were damaged on the way.
@Suite struct MalformedArchiveTests {
    /// Sets a field of the header at `start`, and its checksum.
    private static func setting(
        _ range: Range<Int>, to field: [UInt8], at start: Int = 0, in bytes: [UInt8]
    ) -> Archive {
        var bytes = bytes
        for (position, byte) in zip(range, field) { bytes[start + position] = byte }
        for position in 148..<156 { bytes[start + position] = 32 }
        let sum = bytes[start..<(start + 512)].reduce(0) { $0 + Int($1) }
        let digits = String(sum, radix: 8)
        let text = String(repeating: "0", count: 6 - digits.count) + digits + "\0 "
        for (position, byte) in zip(148..<156, text.utf8) { bytes[start + position] = byte }
        return Archive(bytes)
    }

    private static func file() throws -> [UInt8] { try Archive([(.make(.file, "file"), "contents")]).bytes }

    struct Field: CustomStringConvertible {
        let name: String
        let range: Range<Int>
        let bytes: [UInt8]
        let code: LayerArchiveError.Code
        var description: String { name }
    }

    static let fields = [
        Field(name: "size is text", range: 124..<136, bytes: Array("hello".utf8), code: .malformed),
        Field(name: "size has a sign", range: 124..<136, bytes: Array("-0000000001".utf8), code: .malformed),
        Field(name: "negative size", range: 124..<136, bytes: [UInt8](repeating: 0xff, count: 12), code: .malformed),
        Field(
            name: "size of 95 bits", range: 124..<136, bytes: [0xbf] + [UInt8](repeating: 0xff, count: 11),
            code: .malformed),
        Field(
            name: "size of 63 bits", range: 124..<136,
            bytes: [0x80, 0, 0, 0, 0x7f] + [UInt8](repeating: 0xff, count: 7), code: .truncated),
        Field(name: "user ID of 33 bits", range: 108..<116, bytes: [0x80, 0, 0, 1, 0, 0, 0, 0], code: .malformed),
        Field(name: "unknown type", range: 156..<157, bytes: [UInt8(ascii: "Z")], code: .unsupported),
        Field(name: "continued from a tape", range: 156..<157, bytes: [UInt8(ascii: "M")], code: .unsupported),
        Field(name: "sparse, but not GNU", range: 156..<157, bytes: [UInt8(ascii: "S")], code: .unsupported),
        Field(name: "a pax header of text", range: 156..<157, bytes: [UInt8(ascii: "x")], code: .malformed),
    ]

    @Test(arguments: fields)
    func refusesFields(field: Field) throws {
        let archive = try Self.setting(field.range, to: field.bytes, in: Self.file())
        let error = #expect(throws: LayerArchiveError.self) { try archive.entries() }
        #expect(error?.code == field.code)
        #expect(error?.offset == 0)
    }

    @Test func refusesDeviceNumbersThatLinuxHasNot() throws {
        let device = try Archive([(.make(.blockDevice, "device"), "")]).bytes
        let archive = Self.setting(329..<337, to: Array("0010000".utf8), in: device)
        #expect(#expect(throws: LayerArchiveError.self) { try archive.entries() }?.code == .unsupported)
    }

    @Test(arguments: [
        "5 a=b\n", "99 path=x\n", "0 path=x\n", "-9 path=x\n", "9 path=x!", "7 path\n", "6 =ab\n", "path=x\n",
        "99999999999999999999 path=x\n", "10 uid=ab\n", "15 size=1e1000\n", "30 size=9999999999999999999\n",
        "12 mtime=1:2\n", "11 path=a\0b\n", "20 SCHILY.xattr.=ab\n", "23 GNU.sparse.map=1,2\n",
        "22 GNU.sparse.major=2\n22 GNU.sparse.minor=0\n", "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n",
        "25 GNU.sparse.map=5,5,0,5\n", "22 GNU.sparse.map=9,1\n", "22 GNU.sparse.size=-1\n", "13 gid=-1234\n",
        "18 uid=4294967295\n",
    ])
    func refusesPaxRecords(records: String) throws {
        var header = TarEntry.make(.file, "header")
        header.userID = 0
        let first = try Archive([(header, records)]).bytes.dropLast(1024)
        let archive = try Self.setting(156..<157, to: [UInt8(ascii: "x")], in: first + Self.file())
        let error = #expect(throws: LayerArchiveError.self) { try archive.entries() }
        #expect(error?.code == .malformed || error?.code == .unsupported)
    }

    @Test func refusesHugeExtendedHeaders() throws {
        let size = Array("77777777777".utf8)
        let header = try Self.setting(156..<157, to: [UInt8(ascii: "L")], in: Self.file()).bytes
        let error = #expect(throws: LayerArchiveError.self) {
            try Self.setting(124..<136, to: size, in: header).entries()
        }
        #expect(error?.code == .unsupported)
    }

    /// Headers of a type before others, each with its contents.
    private static func headers(_ type: String, _ contents: [String], before bytes: [UInt8] = []) throws -> Archive {
        let type = Array(type.utf8)
        let headers = try contents.flatMap { contents in
            let header = try Archive([(.make(.file, "header"), contents)]).bytes.dropLast(1024)
            return setting(156..<157, to: type, in: Array(header)).bytes
        }
        return Archive(headers + bytes)
    }

    private static func record(_ keyword: String, _ value: String) -> String {
        let length = keyword.utf8.count + value.utf8.count + 3
        return "\(length + String(length + 2).utf8.count) \(keyword)=\(value)\n"
    }

    /// Records that an archive may have any number of times must not fill the memory.
    @Test func limitsWhatHoldsForAllEntries() throws {
        let repeated = (0..<3000).map { Self.record("uid", "\(10_000 + $0)") }
        #expect(try Self.headers("g", repeated, before: Self.file()).entries().map(\.entry.userID) == [12_999])
        let different = (0..<1025).map { Self.record("key\(10_000 + $0)", "value") }
        _ = try Self.headers("g", Array(different.dropLast()), before: Self.file()).entries()
        let large = [Self.record("comment", String(repeating: "x", count: 1 << 20))]
        for archive in [try Self.headers("g", different), try Self.headers("g", large)] {
            #expect(#expect(throws: LayerArchiveError.self) { try archive.entries() }?.code == .unsupported)
        }
    }

    @Test func limitsWhatHoldsForOneEntry() throws {
        let file = try Self.file()
        let records = [String(repeating: "5 a=\n", count: 1 << 17 + 1)]
        let name = [Self.record("path", String(repeating: "x", count: 1 << 20 + 1))]
        let link = [Self.record("linkpath", String(repeating: "x", count: 1 << 20 + 1))]
        let symbolicLink = try Archive([(.make(.symbolicLink, "link", to: "x"), "")]).bytes
        let version = [Self.record("GNU.sparse.major", "1") + Self.record("GNU.sparse.minor", "0")]
        let map = try Archive([(.make(.file, "sparse"), "300000\n" + String(repeating: "0\n", count: 1000))]).bytes
        for archive in [
            try Self.headers("x", records, before: file), try Self.headers("x", name, before: file),
            try Self.headers("x", link, before: symbolicLink), try Self.headers("x", version, before: map),
        ] {
            #expect(#expect(throws: LayerArchiveError.self) { try archive.entries() }?.code == .unsupported)
        }
    }

    /// Many headers that hold for one entry, each of an allowed size.
    @Test func limitsTheHeadersOfOneEntryTogether() throws {
        let name = String(repeating: "x", count: 9 << 20)
        let archive = try Self.headers("L", [name, name], before: Self.file())
        let error = #expect(throws: LayerArchiveError.self) { try archive.entries() }
        #expect(error?.code == .unsupported)
        #expect(error?.description.contains("16 MiB") == true)
    }

    /// A map of millions of numbers takes no more memory than its text and the ranges that are allowed.
    @Test func aMapOfHolesTakesLittleMemory() throws {
        for (map, code) in [
            (String(repeating: ",", count: 8 << 20), LayerArchiveError.Code.malformed),
            (String(repeating: "0,", count: 4 << 20) + "0", .unsupported),
        ] {
            let archive = try Self.headers("x", [Self.record("GNU.sparse.map", map)], before: Self.file())
            let memory = try MemoryPeak()
            let error = #expect(throws: LayerArchiveError.self) { try archive.entries() }
            #expect(error?.code == code)
            // Other tests take memory, too.
            #expect(try memory.growth() < 128 << 20)
        }
        // A number without an end.
        let version = Self.record("GNU.sparse.major", "1") + Self.record("GNU.sparse.minor", "0")
        let file = try Archive([(.make(.file, "sparse"), String(repeating: "1", count: 1 << 20))]).bytes
        let archive = try Self.headers("x", [version], before: file)
        #expect(#expect(throws: LayerArchiveError.self) { try archive.entries() }?.code == .malformed)
    }

    /// Everything that is kept until the end of the archive counts.
    @Test func limitsWhatIsKeptUntilTheEnd() throws {
        var extraction = LayerExtraction()
        extraction.memoryLimit = 1 << 20
        var attribute = TarEntry.make(.directory, "d")
        attribute.attributes = [
            ExtendedAttribute(name: Array("user.a".utf8), value: [UInt8](repeating: 1, count: 2 << 20))
        ]
        let long = String(repeating: "/" + String(repeating: "x", count: 200), count: 10)
        let archives: [[(TarEntry, String)]] = [
            [(attribute, "")],
            (0..<600).map { (.make(.directory, "d\($0)" + long), "") },
        ]
        for entries in archives {
            let tree = try TemporaryDirectory()
            let error = #expect(throws: LayerArchiveError.self) {
                try extraction.extract(Archive(entries).input(), into: tree.descriptor)
            }
            #expect(error?.code == .unsupported)
            #expect(error?.description.contains("more than 1 MiB") == true)
        }
        // The same directory as often as it likes is one.
        let same = (0..<5000).map { _ in (TarEntry.make(.directory, "d"), "") }
        let one = try TemporaryDirectory()
        try extraction.extract(Archive(same).input(), into: one.descriptor)
        // Hard links take no inodes.
        extraction.memoryLimit = 16 << 10
        let links = [(TarEntry.make(.file, "f"), "")] + (0..<600).map { (.make(.hardLink, "l\($0)", to: "f"), "") }
        let tree = try TemporaryDirectory()
        let error = #expect(throws: LayerArchiveError.self) {
            try extraction.extract(Archive(links).input(), into: tree.descriptor)
        }
        #expect(error?.code == .unsupported)
    }

    @Test(arguments: ["gzip", "bzip2", "xz", "zstd"])
    func saysThatAnArchiveIsCompressed(program: String) throws {
        guard Program.isInstalled(program) else { return }
        // Random bytes, so that it stays larger than a block.
        let compressed = try Program.output(["sh", "-c", "head -c 2000 /dev/urandom | \(program) -c"])
        let error = #expect(throws: LayerArchiveError.self) { try Archive(compressed).entries() }
        #expect(error?.code == .malformed)
        #expect(error?.description.contains("“\(program) -dc") == true)
    }

    @Test func refusesAnExtendedHeaderAtTheEnd() throws {
        let bytes = try Archive([(.make(.file, "header"), "10 path=ab\n")]).bytes
        let error = #expect(throws: LayerArchiveError.self) {
            try Self.setting(156..<157, to: [UInt8(ascii: "x")], in: bytes).entries()
        }
        #expect(error?.code == .malformed)
    }

    /// An archive with every form of header that the reader knows.
    private struct Sample {
        let bytes: [UInt8]
        /// Where its entries begin, ascending.
        let starts: [Int]

        init() throws {
            bytes = try MalformedArchiveTests.sampleBytes()
            starts = try Archive(bytes).entries().map { Int($0.entry.offset) }
            #expect(starts.count == 47)
        }

        /// The archive, or a copy of it with damage from `position` on, without the entries before, which are as good as
        /// they were.
        func rest(of damaged: [UInt8], from position: Int) -> Archive {
            Archive(Array(damaged[(starts.last { $0 <= position } ?? 0)...]))
        }
    }

    private static func sampleBytes() throws -> [UInt8] {
        let tree = try TemporaryDirectory(
            """
            mkdir -p d/e; echo x >d/file; ln d/file d/hard; ln -s file d/link; mkfifo d/fifo; n=$(printf '%0150d' 0)
            echo y >"d/$n"; ln -s "$n" d/long; touch d/.wh.gone d/e/.wh..wh..opq
            truncate -s 2M sparse
            for i in $(seq 0 5); do echo z | dd of=sparse bs=1 seek=$((i * 200000)) conv=notrunc; done 2>/dev/null
            """)
        var bytes: [UInt8] = []
        let forms = [
            "oldgnu -S", "posix -S", "posix -S --sparse-version=0.0", "posix -S --sparse-version=0.1", "ustar",
        ]
        for form in forms {
            let script = "cd \"$1\"; tar --format=\(form) -cf - \(form == "ustar" ? "d/file d/e" : "sparse d")"
            // Up to the first block of zeros at the end, so that what follows is read, too.
            var one = try Program.output(["sh", "-c", script, "sh", tree.path.string])
            while one.suffix(512).allSatisfy({ $0 == 0 }) { one.removeLast(512) }
            bytes += one
        }
        return bytes + [UInt8](repeating: 0, count: 1024)
    }

    @Test func survivesAnyTruncation() throws {
        let sample = try Sample()
        let ends = try Archive(sample.bytes).contentEnds()
        let bytes = sample.bytes
        var generator = SeededRandom(seed: 1)
        for _ in 0..<600 {
            let length = Int.random(in: 0..<(bytes.count - 1024), using: &generator)
            let archive = sample.rest(of: Array(bytes.prefix(length)), from: length)
            // Where contents have ended, and only what fills up their block is missing, the entry is whole.
            if length > 0, ends.contains(where: { $0.contains(length) }) {
                _ = try archive.entries()
            } else {
                let error = #expect(throws: LayerArchiveError.self) { try archive.entries() }
                #expect(error?.code == .truncated)
            }
        }
    }

    /// Go's `archive/tar` and GNU tar take an archive without the mark of its end.
    @Test func takesAnArchiveWithoutTheMarkOfItsEnd() throws {
        let whole = try Archive([(.make(.directory, "d"), ""), (.make(.file, "d/file"), "contents")]).bytes
        let ends: [(missing: Int, hasEndMark: Bool)] = [(0, true), (512, true), (1024, false), (1024 + 504, false)]
        for (missing, hasEndMark) in ends {
            let bytes = Array(whole.dropLast(missing))
            let tree = try TemporaryDirectory()
            #expect(try Archive(bytes).extract(into: tree).hasEndMark == hasEndMark)
            #expect(try tree.contents(of: "d/file") == Array("contents".utf8))
            if missing != 1024 + 504 {
                #expect(try Program.output(["tar", "-tf", "-"], input: bytes) == Array("d/\nd/file\n".utf8))
            }
        }
        for missing in [513, 1023, 1024 + 505, 1024 + 512, whole.count] {
            // Within the mark, a header or contents.
            let rest = Archive(Array(whole.dropLast(missing)))
            let error = #expect(throws: LayerArchiveError.self) { try rest.entries() }
            #expect(error?.code == .truncated, "\(missing)")
        }
        // After an extended header, an entry is missing.
        let long = try Archive([(.make(.file, String(repeating: "x", count: 200)), "")]).bytes
        let error = #expect(throws: LayerArchiveError.self) { try Archive(Array(long.prefix(1024))).entries() }
        #expect(error?.code == .truncated)
    }

    @Test func survivesAnyDamage() throws {
        let sample = try Sample()
        var generator = SeededRandom(seed: 2)
        var refused = 0
        for _ in 0..<1500 {
            var damaged = sample.bytes
            var first = damaged.count
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                let position = Int.random(in: 0..<damaged.count, using: &generator)
                damaged[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                first = min(first, position)
            }
            if (try? sample.rest(of: damaged, from: first).entries()) == nil { refused += 1 }
        }
        #expect(refused > 500)
    }

    /// Damage that the checksum does not tell, as an attacker would do it.
    @Test func survivesDamageWithValidChecksums() throws {
        let sample = try Sample()
        let bytes = sample.bytes
        var headers: [Int] = []
        for start in stride(from: 0, to: bytes.count, by: 512)
        where bytes[(start + 257)..<(start + 262)].elementsEqual("ustar".utf8) { headers.append(start) }
        #expect(headers.count > 40)
        let outside = try TemporaryDirectory("echo untouched >sentinel")
        let before = try outside.listing()
        var generator = SeededRandom(seed: 3)
        for round in 0..<1500 {
            let start = try #require(headers.randomElement(using: &generator))
            let position = Int.random(in: 0..<512, using: &generator)
            let value = UInt8.random(in: 0...255, using: &generator)
            let archive = Self.setting(position..<(position + 1), to: [value], at: start, in: bytes)
            _ = try? sample.rest(of: archive.bytes, from: start).entries()
            if round.isMultiple(of: 20) {
                let tree = try TemporaryDirectory()
                _ = try? archive.extract(into: tree)
            }
        }
        #expect(try outside.listing() == before)
    }

    @Test func survivesDamagedPaxRecords() throws {
        let header = try Archive([
            (.make(.file, "h"), "20 path=some/name/x\n30 mtime=1600000000.123456789\n22 GNU.sparse.major=1\n")
        ]).bytes.dropLast(1024)
        let bytes = try Array(header) + Self.file()
        var generator = SeededRandom(seed: 4)
        for _ in 0..<2000 {
            var damaged = bytes
            damaged[156] = UInt8(ascii: "x")
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                damaged[512 + Int.random(in: 0..<80, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = try? Self.setting(0..<0, to: [], in: damaged).entries()
        }
    }
}
