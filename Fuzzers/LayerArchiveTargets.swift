import SystemPackage

@testable import LayerArchive

extension FuzzTarget {
    /// Tar streams: what is read is written, and read again.
    static let tar = FuzzTarget(name: "tar") { input in
        let output = ArchiveInMemory([])
        let writer = TarWriter(output)
        var entries: [TarEntry] = []
        let isWhole: Void? = accepting { () throws(LayerArchiveError) in
            let reader = TarReader(ArchiveInMemory(input))
            while let entry = try reader.next() {
                check(entry, input.count)
                var end: Int64 = 0
                try reader.readContents { (offset, bytes) throws(LayerArchiveError) in
                    demand(offset >= end, "contents go back")
                    end = offset + Int64(bytes.count)
                    demand(end <= entry.size, "contents are longer than they should be")
                }
                entries.append(entry)
            }
        }
        guard isWhole != nil else { return }
        // Contents are zeros here: they are bytes that go through.
        var written: [TarEntry] = []
        for entry in entries where entry.size < 1 << 20 {
            let isWritten: Void? = accepting { () throws(LayerArchiveError) in
                try writer.append(entry)
                guard entry.kind == .file else { return }
                for range in entry.dataRanges ?? [0..<entry.size] {
                    try writer.writeZeros(range.upperBound - range.lowerBound)
                }
            }
            // Some of what can be read cannot be written, such as a map with odd lengths.
            guard isWritten != nil else { return }
            written.append(entry)
        }
        accepting { () throws(LayerArchiveError) in try writer.finish() }
        var read: [TarEntry] = []
        accepting { () throws(LayerArchiveError) in
            let reader = TarReader(ArchiveInMemory(output.bytes))
            while let entry = try reader.next() { read.append(entry) }
        }
        demand(read.count == written.count, "\(written.count) entries are written and \(read.count) read")
        for (one, other) in zip(read, written) {
            demand(
                one.path == writtenPath(of: other) && one.kind == other.kind && one.permissions == other.permissions
                    && one.userID == other.userID && one.groupID == other.groupID,
                "\(other) is written and \(one) read")
            if other.kind == .file { demand(one.size == other.size, "\(other) is written and \(one) read") }
        }
    }

    /// The name as it is written: that of a directory gets a slash at its end.
    private static func writtenPath(of entry: TarEntry) -> [UInt8] {
        let slash = UInt8(ascii: "/")
        return entry.kind == .directory && entry.path.last != slash ? entry.path + [slash] : entry.path
    }

    private static func check(_ entry: TarEntry, _ length: Int) {
        demand(entry.size >= 0 && entry.offset >= 0 && entry.offset <= length, "a size or place is negative")
        demand(entry.permissions <= 0o7777, "permissions have more than 12 bits")
        demand(!entry.path.contains(0), "a name has a zero byte")
        var end: Int64 = 0
        for range in entry.dataRanges ?? [] {
            demand(range.lowerBound >= end && range.upperBound <= entry.size, "the ranges of data are not in order")
            end = range.upperBound
        }
    }
}

/// An archive in memory.
final class ArchiveInMemory: ArchiveInput, ArchiveOutput {
    private(set) var bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func read(into buffer: inout OutputSpan<UInt8>) throws(Errno) {
        while buffer.freeCapacity > 0, position < bytes.count {
            buffer.append(bytes[position])
            position += 1
        }
    }

    func write(contentsOf span: Span<UInt8>) throws(Errno) {
        for index in span.indices { bytes.append(span[index]) }
    }
}
