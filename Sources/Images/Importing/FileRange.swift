#if Images
internal import LayerArchive
internal import SystemCalls
internal import SystemPackage

/// A part of a file, read from its beginning; several parts of one file can be read at the same time.
final class FileRange: ArchiveInput {
    private let file: FileDescriptor
    private var position: Int64
    private let end: Int64

    /// Takes a part of a file, which must stay open.
    ///
    /// - Parameters:
    ///   - offset: Where the part begins, in bytes.
    ///   - size: Its size in bytes.
    init(_ file: FileDescriptor, offset: Int64, size: Int64) {
        self.file = file
        position = offset
        end = offset + size
    }

    func read(into buffer: inout OutputSpan<UInt8>) throws(Errno) {
        let wanted = Int(min(Int64(buffer.freeCapacity), end - position))
        guard wanted > 0 else { return }
        let count = try unsafe buffer.withUnsafeMutableBufferPointer { (bytes, filled) throws(Errno) in
            let free = unsafe bytes[filled...].prefix(wanted)
            let count = try systemCall {
                unsafe pread(
                    file.rawValue, UnsafeMutableBufferPointer(rebasing: free).baseAddress, wanted, off_t(position))
            }
            filled += count
            return count
        }
        position += Int64(count)
    }

    func skip(_ count: Int64) throws(Errno) -> Int64 {
        let skipped = min(count, end - position)
        position += skipped
        return skipped
    }
}
#endif
