#if Images
internal import LayerArchive
internal import SystemPackage

/// An input whose bytes are counted, and whose digest is computed, while they pass.
final class DigestingInput: ArchiveInput {
    private let source: any ArchiveInput
    private let limit: Int64
    private var running = RunningDigest()
    /// How many bytes have passed.
    private(set) var size: Int64 = 0
    /// Whether there were more bytes than the limit; the read that found them has thrown `EFBIG`.
    private(set) var isTooLarge = false

    /// Prepares to read `source`.
    ///
    /// - Parameter limit: How many bytes may pass.
    init(_ source: any ArchiveInput, limit: Int64 = .max) {
        self.source = source
        self.limit = limit
    }

    /// The digest of the bytes that have passed.
    var digest: ContentDigest { running.value }

    func read(into buffer: inout OutputSpan<UInt8>) throws(Errno) {
        let before = buffer.count
        try source.read(into: &buffer)
        running.update(buffer.span.extracting(droppingFirst: before))
        size += Int64(buffer.count - before)
        guard size <= limit else {
            isTooLarge = true
            throw .fileTooLarge
        }
    }
}
#endif
