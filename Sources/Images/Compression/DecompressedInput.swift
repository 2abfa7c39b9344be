#if Images
internal import LayerArchive
internal import SystemPackage

/// Decompresses one piece after the other.
protocol Decompressor: AnyObject {
    /// Decompresses as much of `input` as `buffer` has room for.
    ///
    /// - Returns: How many bytes of `input` were used, and whether a compressed stream ends behind them; another may follow.
    func decompress(
        _ input: Span<UInt8>, into buffer: inout OutputSpan<UInt8>
    ) throws(DecompressionError) -> (used: Int, isAtEnd: Bool)
}

/// Bytes that a decompressor does not understand.
struct DecompressionError: Error {
    let reason: String
}

/// An input, decompressed; several compressed streams in a row are one.
final class DecompressedInput: ArchiveInput {
    private let source: any ArchiveInput
    private let decompressor: any Decompressor
    private var input: [UInt8] = []
    private var used = 0
    /// Whether the input has ended where a compressed stream ends.
    private var isBetweenStreams = true
    /// Why the input could not be decompressed, after a read that has thrown `EBADMSG`.
    private(set) var complaint: String?

    /// Prepares to decompress what `source` has.
    init(_ source: any ArchiveInput, _ compression: Compression) throws(Errno) {
        self.source = source
        let decompressor: (any Decompressor)? =
            switch compression {
            case .gzip: GzipDecompressor()
            case .zstd: ZstdDecompressor()
            }
        guard let decompressor else { throw .noMemory }
        self.decompressor = decompressor
    }

    func read(into buffer: inout OutputSpan<UInt8>) throws(Errno) {
        let before = buffer.count
        while buffer.count == before, buffer.freeCapacity > 0 {
            if used == input.count {
                try refill()
                guard !input.isEmpty else {
                    guard isBetweenStreams else { throw failure("it ends too early") }
                    return
                }
            }
            do throws(DecompressionError) {
                let rest = input.span.extracting(droppingFirst: used)
                let (count, isAtEnd) = try decompressor.decompress(rest, into: &buffer)
                used += count
                isBetweenStreams = isAtEnd
            } catch {
                throw failure(error.reason)
            }
        }
    }

    private func refill() throws(Errno) {
        used = 0
        input.removeAll(keepingCapacity: true)
        try input.append(addingCapacity: 1 << 16) { (free) throws(Errno) in try source.read(into: &free) }
    }

    private func failure(_ reason: String) -> Errno {
        complaint = reason
        return .badMessage
    }
}
#endif
