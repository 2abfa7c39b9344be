#if Images
internal import CZlib

/// Decompresses gzip, by zlib.
@safe final class GzipDecompressor: Decompressor {
    private let stream: UnsafeMutablePointer<z_stream>

    /// - Returns: `nil` if there is not enough memory.
    init?() {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // 15 is the largest window; with 16 the stream has the header of gzip.
        let answer = unsafe inflateInit2_(stream, 15 + 16, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
        // `deinit` runs after a failure, too, and ends what was not begun without harm.
        guard answer == Z_OK else { return nil }
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    func decompress(
        _ input: Span<UInt8>, into buffer: inout OutputSpan<UInt8>
    ) throws(DecompressionError) -> (used: Int, isAtEnd: Bool) {
        var left = 0
        let answer = unsafe buffer.withUnsafeMutableBufferPointer { bytes, filled in
            unsafe input.withUnsafeBufferPointer { source in
                // zlib only reads what `next_in` leads to.
                unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                unsafe stream.pointee.avail_in = UInt32(source.count)
                unsafe stream.pointee.next_out = bytes.baseAddress?.advanced(by: filled)
                let room = UInt32(clamping: bytes.count - filled)
                unsafe stream.pointee.avail_out = room
                let answer = unsafe inflate(stream, Z_NO_FLUSH)
                left = unsafe Int(stream.pointee.avail_in)
                filled += unsafe Int(room - stream.pointee.avail_out)
                return answer
            }
        }
        switch answer {
        case Z_OK, Z_BUF_ERROR: return (input.count - left, false)
        case Z_STREAM_END:
            unsafe inflateReset(stream)
            return (input.count - left, true)
        default:
            let reason = unsafe stream.pointee.msg.map { unsafe String(cString: $0) }
            throw DecompressionError(reason: reason ?? "error \(answer) of zlib")
        }
    }
}
#endif
