#if Images
internal import CZstd
internal import LayerArchive
internal import SystemPackage

/// An input of Zstandard, decompressed by libzstd; several frames in a row are one.
@safe final class ZstdInput: DecompressingInput {
    private let source: any ArchiveInput
    private let stream: OpaquePointer
    private var input: [UInt8] = []
    private var used = 0
    /// Whether the input has ended where a frame ends.
    private var isBetweenFrames = true
    private(set) var complaint: String?

    /// Prepares to decompress what `source` has.
    init(_ source: any ArchiveInput) throws(Errno) {
        self.source = source
        guard let stream = unsafe ZSTD_createDStream() else { throw .noMemory }
        unsafe self.stream = stream
        // A frame says how much memory it needs. 128 MiB is what the program zstd takes without being asked for more.
        _ = unsafe ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, 27)
    }

    deinit { unsafe ZSTD_freeDStream(stream) }

    func read(into buffer: inout OutputSpan<UInt8>) throws(Errno) {
        let before = buffer.count
        while buffer.count == before, buffer.freeCapacity > 0 {
            if used == input.count {
                try refill()
                guard !input.isEmpty else {
                    guard isBetweenFrames else { throw failure("it ends too early") }
                    return
                }
            }
            try decompress(into: &buffer)
        }
    }

    private func refill() throws(Errno) {
        used = 0
        input.removeAll(keepingCapacity: true)
        try input.append(addingCapacity: 1 << 16) { (free) throws(Errno) in try source.read(into: &free) }
    }

    private func decompress(into buffer: inout OutputSpan<UInt8>) throws(Errno) {
        let answer = unsafe buffer.withUnsafeMutableBufferPointer { bytes, filled in
            unsafe input.withUnsafeBufferPointer { source in
                var from = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: used)
                var to = unsafe ZSTD_outBuffer(dst: bytes.baseAddress, size: bytes.count, pos: filled)
                let answer = unsafe ZSTD_decompressStream(stream, &to, &from)
                used = unsafe from.pos
                filled = unsafe to.pos
                return answer
            }
        }
        guard ZSTD_isError(answer) == 0 else {
            throw failure(unsafe String(cString: ZSTD_getErrorName(answer)))
        }
        isBetweenFrames = answer == 0
    }

    private func failure(_ reason: String) -> Errno {
        complaint = reason
        return .badMessage
    }
}
#endif
