#if Images
internal import CZlib
internal import LayerArchive
internal import SystemPackage

/// Compresses with gzip, by zlib, what is written.
@safe final class GzipOutput: ArchiveOutput {
    private let target: any ArchiveOutput
    private let stream: UnsafeMutablePointer<z_stream>
    private var output: [UInt8]

    /// Prepares to write to `target`.
    init(_ target: any ArchiveOutput) throws(Errno) {
        self.target = target
        output = [UInt8](repeating: 0, count: 1 << 16)
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // 15 is the largest window; with 16 the stream has the header of gzip. 8 is zlib's usual amount of memory.
        let answer = unsafe deflateInit2_(
            stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            CInt(MemoryLayout<z_stream>.size))
        guard answer == Z_OK else {
            unsafe stream.deallocate()
            throw .noMemory
        }
    }

    deinit {
        unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    func write(contentsOf bytes: Span<UInt8>) throws(Errno) {
        var used = 0
        while used < bytes.count {
            let rest = bytes.extracting(droppingFirst: used)
            used += try deflate(rest, Z_NO_FLUSH).used
        }
    }

    /// Writes what is still held back, and the end of the stream.
    func finish() throws(Errno) {
        let nothing: [UInt8] = []
        while try !deflate(nothing.span, Z_FINISH).hasEnded {}
    }

    private func deflate(_ bytes: Span<UInt8>, _ flush: CInt) throws(Errno) -> (used: Int, hasEnded: Bool) {
        let room = output.count
        var left = 0
        let answer = unsafe bytes.withUnsafeBufferPointer { source in
            unsafe output.withUnsafeMutableBufferPointer { target in
                // zlib only reads what `next_in` leads to.
                unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                unsafe stream.pointee.avail_in = UInt32(clamping: source.count)
                unsafe stream.pointee.next_out = target.baseAddress
                unsafe stream.pointee.avail_out = UInt32(room)
                let answer = unsafe CZlib.deflate(stream, flush)
                left = unsafe Int(stream.pointee.avail_in)
                return answer
            }
        }
        let made = unsafe room - Int(stream.pointee.avail_out)
        let compressed = output
        try target.write(contentsOf: compressed.span.extracting(first: made))
        return (min(bytes.count, Int(UInt32.max)) - left, answer == Z_STREAM_END)
    }
}
#endif
