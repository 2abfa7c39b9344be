#if Images
internal import LayerArchive
internal import SystemPackage

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

    /// The input decompressed, where its first bytes say how; `nil` where they do not.
    ///
    /// It is called before anything else reads the input.
    func decompressed() throws(Errno) -> DecompressedInput? {
        guard let compression = Compression(of: start) else { return nil }
        return try DecompressedInput(self, compression)
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
