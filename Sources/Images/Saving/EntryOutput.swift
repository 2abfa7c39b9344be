#if Images
internal import LayerArchive
internal import SystemPackage

/// An archive within an archive: what is written becomes the content of the entry that was appended last.
final class EntryOutput: ArchiveOutput {
    private let writer: TarWriter
    /// Why the last write failed.
    private(set) var failure: LayerArchiveError?
    private(set) var digest = RunningDigest()
    private(set) var size: Int64 = 0

    init(_ writer: TarWriter) {
        self.writer = writer
    }

    func write(contentsOf bytes: Span<UInt8>) throws(Errno) {
        digest.update(bytes)
        size += Int64(bytes.count)
        do {
            try writer.write(bytes)
        } catch {
            failure = error
            throw error.errno ?? .ioError
        }
    }
}

/// Counts what is written and computes its digest; keeps nothing.
final class MeasuringOutput: ArchiveOutput {
    private var running = RunningDigest()
    private(set) var size: Int64 = 0

    var digest: ContentDigest { running.value }

    func write(contentsOf bytes: Span<UInt8>) throws(Errno) {
        running.update(bytes)
        size += Int64(bytes.count)
    }
}
#endif
