internal import SystemCalls
package import SystemPackage

/// A file of a layer that is reached by its name in an archive.
package enum LayerFile {
    /// Opens a regular file for reading.
    ///
    /// Symbolic links in the path are followed within the layer; a link at its end is an error.
    ///
    /// - Parameters:
    ///   - path: The path within the layer.
    ///   - root: The root directory of the layer.
    /// - Returns: The file and its size in bytes.
    /// - Throws: `EINVAL` when it is another kind of file.
    package static func open(
        _ path: [UInt8], in root: FileDescriptor
    ) throws(Errno) -> (file: FileDescriptor, size: Int64) {
        let file = try OpenDirectory.open(
            path, from: root, UInt64(O_RDONLY | O_NOFOLLOW | O_NONBLOCK), [.inRoot, .oneFileSystem])
        do throws(Errno) {
            let status = try FileStatus(of: file)
            guard status.type == .regular else { throw Errno.invalidArgument }
            return (file, status.size)
        } catch {
            SystemCalls.close(file.rawValue)
            throw error
        }
    }

    /// A name for people to read: valid UTF-8 as it is, everything else escaped.
    package static func printable(_ name: [UInt8]) -> String { FileName.printable(name) }
}
