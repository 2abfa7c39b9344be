#if Daemon
internal import NIOCore

/// Takes the message of a request out of what arrives; its length stands before it.
struct MessageReader {
    /// containerd's own limit.
    static let longest = 16 << 20
    private static let prefixLength = 5

    private var buffer = ByteBuffer()
    private var message: [UInt8]?

    /// Takes bytes in.
    ///
    /// - Throws: ``SnapshotterError`` for a message that is compressed or too long, and for more than one.
    mutating func read(_ bytes: ByteBuffer) throws(SnapshotterError) {
        guard message == nil else {
            guard bytes.readableBytes == 0 else {
                throw SnapshotterError(.internal, "the request goes on behind its message; the call takes one message")
            }
            return
        }
        buffer.writeImmutableBuffer(bytes)
        guard buffer.readableBytes >= Self.prefixLength,
            let compression: UInt8 = buffer.getInteger(at: buffer.readerIndex),
            let length: UInt32 = buffer.getInteger(at: buffer.readerIndex + 1)
        else { return }
        guard compression == 0 else {
            throw SnapshotterError(
                .unimplemented, "the request is compressed, and the service takes no compressed one; send it plain")
        }
        guard Int(length) <= Self.longest else {
            throw SnapshotterError(
                .resourceExhausted, "the request has \(length) bytes, and the service takes at most \(Self.longest)")
        }
        let end = Self.prefixLength + Int(length)
        guard buffer.readableBytes >= end else { return }
        guard buffer.readableBytes == end else {
            throw SnapshotterError(.internal, "the request goes on behind its message; the call takes one message")
        }
        message = buffer.getBytes(at: buffer.readerIndex + Self.prefixLength, length: Int(length)) ?? []
        buffer = ByteBuffer()
    }

    /// The message, once the request has ended.
    ///
    /// - Throws: ``SnapshotterError`` for a request that has no message, or ends within one.
    func finish() throws(SnapshotterError) -> [UInt8] {
        guard let message else {
            throw SnapshotterError(
                .internal,
                buffer.readableBytes == 0 ? "the request has no message" : "the request ends within its message")
        }
        return message
    }
}
#endif
