#if Images
internal import FoundationEssentials
internal import LayerArchive
internal import LayerStore
internal import SystemPackage

/// A piece of a layer's archive, as Docker records it.
enum TarSplitPiece {
    /// Bytes that are no content of a file: headers, what fills up a block, the end.
    case bytes([UInt8])
    /// The content of a file, which is in the layer itself.
    ///
    /// The checksum is CRC-64 with the polynomial of ISO 3309.
    case file(name: [UInt8], size: Int64, checksum: UInt64?)
}

/// Reads the file `tar-split.json.gz` of a layer: a line of JSON for each piece of the layer's archive.
///
/// The format is that of the package `tar-split` of the Go language, which Docker uses.
final class TarSplitInput {
    /// The longest line that is read; a piece of Docker's has at most 1 MiB.
    private static let longestLine = 16 << 20

    private struct Line: Decodable {
        let type: Int
        let name: String?
        let name_raw: Data?
        let size: Int64?
        let payload: Data?
    }

    private let path: FilePath
    private let input: any ArchiveInput
    private var buffer: [UInt8] = []
    private var used = 0

    /// Reads lines that are not compressed.
    ///
    /// - Parameter path: Where they come from, for errors.
    init(_ lines: any ArchiveInput, from path: FilePath) {
        input = lines
        self.path = path
    }

    /// Lends the pieces of a file to `body`.
    static func reading<Result>(_ path: FilePath, _ body: (TarSplitInput) throws -> Result) throws -> Result {
        let file: FileDescriptor
        do {
            file = try .open(path, .readOnly, options: .closeOnExec)
        } catch {
            throw ImageError(.incomplete, "cannot open \(path): \(error)")
        }
        return try file.closeAfter { try body(TarSplitInput(DecompressedInput(file, .gzip), from: path)) }
    }

    /// The next piece; `nil` behind the last one.
    func next() throws -> TarSplitPiece? {
        guard let text = try line() else { return nil }
        let line: Line
        do {
            line = try StoreJSON.decode(Line.self, text)
        } catch {
            throw damage("a line cannot be understood: \(StoreJSON.explain(error, text))")
        }
        switch line.type {
        case 1:
            let size = line.size ?? 0
            guard size >= 0 else { throw damage("a file has a negative size") }
            let name = line.name_raw.map { Array($0) } ?? Array((line.name ?? "").utf8)
            guard !name.isEmpty, !name.contains(0) else { throw damage("a file has no name") }
            let checksum = line.payload.flatMap { bytes in
                bytes.count == 8 ? bytes.reduce(0) { $0 << 8 | UInt64($1) } : nil
            }
            return .file(name: name, size: size, checksum: checksum)
        case 2: return .bytes(line.payload.map { Array($0) } ?? [])
        default: throw damage("a line has the unknown type \(line.type)")
        }
    }

    private func line() throws -> [UInt8]? {
        var line: [UInt8] = []
        while true {
            if used == buffer.count {
                try refill()
                guard !buffer.isEmpty else { return line.isEmpty ? nil : line }
            }
            let rest = buffer[used...]
            let end = rest.firstIndex(of: UInt8(ascii: "\n"))
            line += rest[..<(end ?? rest.endIndex)]
            used = end.map { $0 + 1 } ?? rest.endIndex
            guard line.count <= Self.longestLine else {
                throw damage("a line is longer than \(Self.longestLine) bytes")
            }
            if end != nil, !line.isEmpty { return line }
        }
    }

    private func refill() throws {
        used = 0
        buffer.removeAll(keepingCapacity: true)
        do {
            try buffer.append(addingCapacity: 1 << 16) { (free) throws(Errno) in try input.read(into: &free) }
        } catch {
            throw damage("cannot decompress it: \((input as? DecompressedInput)?.complaint ?? "\(error)")")
        }
    }

    private func damage(_ reason: String) -> ImageError { ImageError(.damaged, "\(path) is damaged: \(reason)") }
}
#endif
