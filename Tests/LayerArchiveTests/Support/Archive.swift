import Glibc
import LayerArchive
import SystemPackage

/// An archive in memory.
final class Archive: ArchiveOutput {
    private(set) var bytes: [UInt8] = []

    init() {}

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Writes entries, each with its contents, which are repeated up to its size.
    convenience init(_ entries: [(TarEntry, String)]) throws {
        self.init()
        let writer = TarWriter(self)
        for (entry, contents) in entries {
            var entry = entry
            let contents = Array(contents.utf8)
            if entry.kind == .file, entry.dataRanges == nil { entry.size = Int64(contents.count) }
            try writer.append(entry)
            try writer.write(contents.span)
        }
        try writer.finish()
    }

    /// The archive of the difference of two trees.
    convenience init(
        of upper: TemporaryDirectory, against lower: TemporaryDirectory?, _ export: LayerExport = LayerExport()
    ) throws {
        self.init()
        let changes = try ChangeSet(of: upper.descriptor, against: lower?.descriptor)
        let summary = try export.write(changes, of: upper.descriptor, to: self)
        guard summary.size == Int64(bytes.count) else { throw Program.Failure(description: "wrong size") }
    }

    func write(contentsOf bytes: Span<UInt8>) throws(Errno) {
        unsafe bytes.withUnsafeBufferPointer { unsafe self.bytes.append(contentsOf: $0) }
    }

    /// The archive as something to read from, in pieces of a certain size.
    func input(pieces: Int = .max) -> any ArchiveInput { Input(bytes, pieces) }

    @discardableResult
    func extract(into directory: TemporaryDirectory) throws(LayerArchiveError) -> LayerExtraction.Summary {
        try LayerExtraction().extract(input(), into: directory.descriptor)
    }

    /// All entries with the data of their contents.
    func entries(pieces: Int = .max) throws(LayerArchiveError) -> [(entry: TarEntry, data: [UInt8])] {
        let reader = TarReader(input(pieces: pieces))
        var entries: [(TarEntry, [UInt8])] = []
        while let entry = try reader.next() {
            var data: [UInt8] = []
            try reader.readContents { (_, bytes) throws(LayerArchiveError) in
                unsafe bytes.withUnsafeBufferPointer { unsafe data.append(contentsOf: $0) }
            }
            entries.append((entry, data))
        }
        return entries
    }

    /// For each entry, from where its contents have ended to where the next one begins.
    func contentEnds() throws(LayerArchiveError) -> [ClosedRange<Int>] {
        let reader = TarReader(input())
        var ends: [ClosedRange<Int>] = []
        var filling: Int?
        while let entry = try reader.next() {
            let start = Int(entry.offset)
            ends.append((start - (filling ?? 0))...start)
            var stored = 0
            try reader.readContents { (_, bytes) throws(LayerArchiveError) in stored += bytes.count }
            filling = -stored & 511
        }
        return ends
    }

    private final class Input: ArchiveInput {
        private var rest: ArraySlice<UInt8>
        private let pieces: Int

        init(_ bytes: [UInt8], _ pieces: Int) {
            rest = bytes[...]
            self.pieces = pieces
        }

        func read(into buffer: inout OutputSpan<UInt8>) throws(Errno) {
            let piece = rest.prefix(min(buffer.freeCapacity, pieces))
            unsafe buffer.withUnsafeMutableBufferPointer { free, count in
                count += unsafe UnsafeMutableBufferPointer(rebasing: free[count...]).update(fromContentsOf: piece)
            }
            rest = rest.dropFirst(piece.count)
        }
    }
}

extension TarEntry {
    /// An entry for a test.
    static func make(
        _ kind: Kind, _ path: String, to target: String = "", permissions: UInt32? = nil
    ) -> TarEntry {
        var entry = TarEntry(
            path: Array(path.utf8), kind: kind, permissions: permissions ?? (kind == .directory ? 0o755 : 0o644))
        entry.linkTarget = Array(target.utf8)
        // The user who runs the test may have files of this owner.
        entry.userID = getuid()
        entry.groupID = getgid()
        entry.modificationTime = Timestamp(seconds: 1_600_000_000)
        return entry
    }
}
