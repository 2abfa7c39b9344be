internal import CShims
internal import SystemCalls
public import SystemPackage

/// A file with holes, such as one behind a loop device.
public final class SparseFile: Sendable {
    /// The path that it was opened by.
    public let path: FilePath
    private let descriptor: FileDescriptor

    /// Opens a file that exists for reading and writing.
    ///
    /// - Throws: ``BlockDeviceError``.
    public init(_ path: FilePath) throws(BlockDeviceError) {
        do {
            descriptor = try FileDescriptor.open(path, .readWrite, options: [.closeOnExec, .noFollow])
            self.path = path
        } catch {
            throw BlockDeviceError("open", path, (error as? Errno) ?? .ioError)
        }
    }

    deinit {
        // Nothing was written through it.
        try? descriptor.close()
    }

    /// The first part at or behind an offset that is on the disk, or `nil` when the rest is one hole.
    ///
    /// The corresponding C function is `lseek` with `SEEK_DATA` and `SEEK_HOLE`; a file system that does not know holes
    /// calls everything data.
    ///
    /// - Parameter offset: In bytes.
    /// - Returns: The bytes, beginning at `offset` where that lies within such a part.
    /// - Throws: ``BlockDeviceError``.
    public func data(from offset: UInt64) throws(BlockDeviceError) -> Range<UInt64>? {
        while true {
            do {
                let start = try systemCall {
                    lseek(descriptor.rawValue, off_t(clamping: offset), dmshim_SEEK_DATA)
                }
                let end = try systemCall { lseek(descriptor.rawValue, start, dmshim_SEEK_HOLE) }
                // The pool may have discarded the data between the two calls.
                if end > start { return UInt64(start)..<UInt64(end) }
            } catch {
                if error == .noSuchAddressOrDevice { return nil }
                throw BlockDeviceError("look for holes in", path, error)
            }
        }
    }

    /// Makes a part of the file a hole.
    ///
    /// The corresponding C function is `fallocate` with `FALLOC_FL_PUNCH_HOLE`.
    ///
    /// - Parameter range: In bytes.
    /// - Throws: ``BlockDeviceError``, with the code `notSupported` where the file system has no holes.
    public func punch(_ range: Range<UInt64>) throws(BlockDeviceError) {
        let result = dmshim_punch_hole(descriptor.rawValue, range.lowerBound, range.upperBound - range.lowerBound)
        guard result == 0 else { throw BlockDeviceError("make a hole in", path, Errno(rawValue: result)) }
    }
}
