#if Images
internal import CZstd

/// Decompresses Zstandard, by libzstd.
@safe final class ZstdDecompressor: Decompressor {
    private let stream: OpaquePointer

    /// - Returns: `nil` if there is not enough memory.
    init?() {
        guard let stream = unsafe ZSTD_createDStream() else { return nil }
        unsafe self.stream = stream
        // A frame says how much memory it needs. 128 MiB is what the program zstd takes without being asked for more.
        _ = unsafe ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, 27)
    }

    deinit { unsafe ZSTD_freeDStream(stream) }

    func decompress(
        _ input: Span<UInt8>, into buffer: inout OutputSpan<UInt8>
    ) throws(DecompressionError) -> (used: Int, isAtEnd: Bool) {
        var used = 0
        let answer = unsafe buffer.withUnsafeMutableBufferPointer { bytes, filled in
            unsafe input.withUnsafeBufferPointer { source in
                var from = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
                var to = unsafe ZSTD_outBuffer(dst: bytes.baseAddress, size: bytes.count, pos: filled)
                let answer = unsafe ZSTD_decompressStream(stream, &to, &from)
                used = unsafe from.pos
                filled = unsafe to.pos
                return answer
            }
        }
        guard ZSTD_isError(answer) == 0 else {
            throw DecompressionError(reason: unsafe String(cString: ZSTD_getErrorName(answer)))
        }
        return (used, answer == 0)
    }
}
#endif
