package import SystemPackage

/// A file that the kernel makes up as it is read, below `/proc` and `/sys`.
package enum PseudoFile {
    /// Reads a whole file, whose size `stat(2)` does not tell.
    ///
    /// - Throws: `Errno`; `ENOENT` or `ESRCH` when the device or process that it is about has gone.
    package static func read(_ path: FilePath) throws(Errno) -> [UInt8] {
        do {
            let descriptor = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
            return try descriptor.closeAfter {
                var content: [UInt8] = []
                // Large, since the kernel makes up each piece anew: fewer pieces, fewer chances for it to have changed.
                var buffer = [UInt8](repeating: 0, count: 1 << 16)
                while true {
                    let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe descriptor.read(into: $0) }
                    if count == 0 { return content }
                    content += buffer[..<count]
                }
            }
        } catch {
            throw (error as? Errno) ?? .ioError
        }
    }

    /// Reads a file of one line, without its end.
    package static func readLine(_ path: FilePath) throws(Errno) -> String {
        var content = try read(path)
        if content.last == UInt8(ascii: "\n") { content.removeLast() }
        return String(decoding: content, as: UTF8.self)
    }
}
