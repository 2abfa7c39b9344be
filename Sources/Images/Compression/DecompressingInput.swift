#if Images
internal import LayerArchive
internal import SystemPackage

/// An input that decompresses another one.
protocol DecompressingInput: ArchiveInput {
    /// Why the input could not be decompressed, after a read that has thrown `EBADMSG`.
    var complaint: String? { get }
}

/// How an archive is compressed, by its first bytes.
enum Compression {
    case gzip, zstd

    /// How many of the first bytes ``init(of:)`` wants to see.
    static let lengthOfMark = 4

    /// Recognises a compression; `nil` stands for none that is known.
    init?(of beginning: [UInt8]) {
        if beginning.starts(with: [0x1f, 0x8b]) {
            self = .gzip
        } else if beginning.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) {
            self = .zstd
        } else {
            return nil
        }
    }

    /// Prepares to decompress.
    func input(_ source: any ArchiveInput) throws(Errno) -> any DecompressingInput {
        switch self {
        case .gzip: try GzipInput(source)
        case .zstd: try ZstdInput(source)
        }
    }
}

/// An input whose first bytes have been looked at.
final class BegunInput: ArchiveInput {
    private let source: any ArchiveInput
    private var beginning: ArraySlice<UInt8>

    /// Reads the first bytes.
    ///
    /// - Parameter count: How many; the input may end before.
    init(_ source: any ArchiveInput, reading count: Int = Compression.lengthOfMark) throws(Errno) {
        self.source = source
        var bytes: [UInt8] = []
        while bytes.count < count {
            let before = bytes.count
            try bytes.append(addingCapacity: count - before) { (free) throws(Errno) in try source.read(into: &free) }
            guard bytes.count > before else { break }
        }
        beginning = bytes[...]
    }

    /// The first bytes that no reader has taken yet.
    var start: [UInt8] { Array(beginning) }

    func read(into buffer: inout OutputSpan<UInt8>) throws(Errno) {
        guard !beginning.isEmpty else { return try source.read(into: &buffer) }
        let count = min(buffer.freeCapacity, beginning.count)
        buffer.append(copying: beginning.span.extracting(first: count))
        beginning = beginning.dropFirst(count)
    }
}
#endif
