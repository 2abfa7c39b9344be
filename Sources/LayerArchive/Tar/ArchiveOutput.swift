internal import SystemCalls
public import SystemPackage

/// Where an archive is written to, one piece after the other.
///
/// A `FileDescriptor` (a file, a pipe, a socket) is one. A pipe whose reader has gone fails with `EPIPE`; this needs
/// `SIGPIPE` to be ignored, which is for the program to do.
public protocol ArchiveOutput {
    /// Writes all of `bytes`.
    func write(contentsOf bytes: Span<UInt8>) throws(Errno)
}

extension FileDescriptor: ArchiveOutput {
    /// Writes all of `bytes`, in as many calls as it takes, and waits even if the descriptor is non-blocking.
    ///
    /// The corresponding C function is `write`.
    public func write(contentsOf bytes: Span<UInt8>) throws(Errno) {
        var written = 0
        while written < bytes.count {
            do {
                written += try systemCall {
                    unsafe bytes.withUnsafeBufferPointer { all in
                        let rest = unsafe UnsafeBufferPointer(rebasing: all[written...])
                        return unsafe SystemCalls.write(rawValue, rest.baseAddress, rest.count)
                    }
                }
            } catch {
                try waitToRetry(after: error, POLLOUT)
            }
        }
    }
}
