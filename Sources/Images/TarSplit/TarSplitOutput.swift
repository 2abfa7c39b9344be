#if Images
internal import FoundationEssentials
internal import LayerArchive
internal import LayerStore
internal import SystemPackage

/// Writes the record of a layer's archive, from which ``LayerRebuild`` makes the archive again.
///
/// The format is that of ``TarSplitInput``, without compression.
final class TarSplitOutput: ArchiveRecorder {
    /// How many bytes a line has at most, before they are encoded.
    private static let longestPiece = 1 << 16

    private struct Line: Encodable {
        let type: Int
        var name: String?
        var name_raw: Data?
        var size: Int64?
        let payload: Data
        let position: Int
    }

    /// A file whose contents are passing.
    private struct File {
        let name: [UInt8]
        let offset: Int64
        var size: Int64 = 0
        var checksum = CRC64()
    }

    private let output: any ArchiveOutput
    private var bytes: [UInt8] = []
    private var file: File?
    private var position = 0

    /// Prepares to write to `output`.
    init(_ output: any ArchiveOutput) {
        self.output = output
    }

    func record(_ more: Span<UInt8>) throws(LayerArchiveError) {
        try endFile()
        var rest = more
        while !rest.isEmpty {
            let count = min(rest.count, Self.longestPiece - bytes.count)
            bytes.append(copying: rest.extracting(first: count))
            rest = rest.extracting(droppingFirst: count)
            if bytes.count == Self.longestPiece { try endBytes() }
        }
    }

    func record(contents: Span<UInt8>, of entry: TarEntry) throws(LayerArchiveError) {
        // The holes of a file are not in the archive, and what aufs kept for itself is not in the layer.
        let isInLayer = entry.dataRanges == nil && !Whiteout.isOfAufs(entry.path)
        guard isInLayer else { return try record(contents) }
        if file?.offset != entry.offset {
            try endFile()
            try endBytes()
            file = File(name: entry.path, offset: entry.offset)
        }
        file?.size += Int64(contents.count)
        file?.checksum.update(contents)
    }

    /// Writes what is still held back.
    func finish() throws(LayerArchiveError) {
        try endFile()
        try endBytes()
    }

    private func endBytes() throws(LayerArchiveError) {
        guard !bytes.isEmpty else { return }
        try write(Line(type: 2, payload: Data(bytes), position: position))
        bytes.removeAll(keepingCapacity: true)
    }

    private func endFile() throws(LayerArchiveError) {
        guard let file else { return }
        self.file = nil
        let checksum = file.checksum.value
        var line = Line(
            type: 1, size: file.size,
            payload: Data((0..<8).map { UInt8(truncatingIfNeeded: checksum >> (56 - 8 * $0)) }),
            position: position)
        // JSON has no other text than UTF-8.
        if let name = String(validating: file.name, as: UTF8.self) {
            line.name = name
        } else {
            line.name_raw = Data(file.name)
        }
        try write(line)
    }

    private func write(_ line: Line) throws(LayerArchiveError) {
        position += 1
        do {
            try output.write(contentsOf: (StoreJSON.encode(line) + [UInt8(ascii: "\n")]).span)
        } catch {
            throw LayerArchiveError(.output, "cannot write the record of the archive", errno: error as? Errno)
        }
    }
}
#endif
