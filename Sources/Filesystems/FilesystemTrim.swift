internal import CShims
internal import SystemCalls
public import SystemPackage

/// Giving back the space that a file system does not use.
public enum FilesystemTrim {
    /// Discards the blocks of a mounted file system that no file uses.
    ///
    /// The corresponding ioctl is `FITRIM`.
    ///
    /// - Parameter mountPoint: Where it is mounted.
    /// - Returns: How many bytes were discarded; the file system may not count what it discarded earlier.
    /// - Throws: ``FilesystemError``, with `EOPNOTSUPP` when the file system or its device takes no discards.
    public static func trim(at mountPoint: FilePath) throws(FilesystemError) -> UInt64 {
        do {
            let descriptor = try FileDescriptor.open(mountPoint, .readOnly, options: [.directory, .closeOnExec])
            return try descriptor.closeAfter {
                var trimmed: UInt64 = 0
                try unsafe requireSuccess(dmshim_trim(descriptor.rawValue, &trimmed))
                return trimmed
            }
        } catch {
            throw FilesystemError("trim the file system at", mountPoint, errno: error as? Errno ?? .ioError)
        }
    }
}
