internal import SystemCalls
public import SystemPackage

/// Where an archive is read from, one piece after the other.
///
/// A `FileDescriptor` (a file, a pipe, a socket) is one.
public protocol ArchiveInput {
    /// Waits for bytes and appends as many as are there and as `buffer` has room for.
    ///
    /// That nothing was appended means that the input has ended.
    func read(into buffer: inout OutputSpan<UInt8>) throws(Errno)

    /// Passes over bytes without reading them, where the input can.
    ///
    /// - Returns: How many bytes were passed over, at most `count`, and never bytes that the input does not have. An input
    ///   that can only be read returns 0, which is the default.
    func skip(_ count: Int64) throws(Errno) -> Int64
}

extension ArchiveInput {
    /// Passes over nothing.
    public func skip(_ count: Int64) throws(Errno) -> Int64 { 0 }
}

extension FileDescriptor: ArchiveInput {
    /// Appends what can be read, and waits for it even if the descriptor is non-blocking, as a terminal's may be.
    ///
    /// The corresponding C function is `read`.
    public func read(into buffer: inout OutputSpan<UInt8>) throws(Errno) {
        while true {
            do {
                return try unsafe buffer.withUnsafeMutableBufferPointer { (bytes, filled) throws(Errno) in
                    let free = unsafe UnsafeMutableBufferPointer(rebasing: bytes[filled...])
                    filled += try systemCall { unsafe SystemCalls.read(rawValue, free.baseAddress, free.count) }
                }
            } catch {
                try waitToRetry(after: error, POLLIN)
            }
        }
    }

    /// Waits for `event` if the call would have blocked, so that it can be made again.
    ///
    /// - Throws: `error`, when another try is of no use.
    func waitToRetry(after error: Errno, _ event: CInt) throws(Errno) {
        guard error == .resourceTemporarilyUnavailable else { throw error }
        var request = pollfd(fd: rawValue, events: CShort(event), revents: 0)
        // A descriptor that cannot be polled makes the next call fail.
        unsafe poll(&request, 1, -1)
    }
}
