#if Images
internal import CZlib
internal import LayerArchive
internal import SystemPackage

/// An input of gzip, decompressed by zlib; several streams in a row are one.
@safe final class GzipInput: DecompressingInput {
    private let source: any ArchiveInput
    private let stream: UnsafeMutablePointer<z_stream>
    private var input: [UInt8] = []
    private var used = 0
    /// Whether the input has ended where a stream ends.
    private var isBetweenStreams = true
    private(set) var complaint: String?

    /// Prepares to decompress what `source` has.
    init(_ source: any ArchiveInput) throws(Errno) {
        self.source = source
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // 15 is the largest window; with 16 the stream has the header of gzip.
        let answer = unsafe inflateInit2_(stream, 15 + 16, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
        guard answer == Z_OK else {
            unsafe stream.deallocate()
            throw .noMemory
        }
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    func read(into buffer: inout OutputSpan<UInt8>) throws(Errno) {
        let before = buffer.count
        while buffer.count == before, buffer.freeCapacity > 0 {
            if used == input.count {
                try refill()
                guard !input.isEmpty else {
                    guard isBetweenStreams else { throw failure("it ends too early") }
                    return
                }
            }
            try inflate(into: &buffer)
        }
    }

    private func refill() throws(Errno) {
        used = 0
        input.removeAll(keepingCapacity: true)
        try input.append(addingCapacity: 1 << 16) { (free) throws(Errno) in try source.read(into: &free) }
    }

    private func inflate(into buffer: inout OutputSpan<UInt8>) throws(Errno) {
        isBetweenStreams = false
        let answer = unsafe buffer.withUnsafeMutableBufferPointer { bytes, filled in
            unsafe input.withUnsafeMutableBufferPointer { source in
                unsafe stream.pointee.next_in = source.baseAddress?.advanced(by: used)
                unsafe stream.pointee.avail_in = UInt32(source.count - used)
                unsafe stream.pointee.next_out = bytes.baseAddress?.advanced(by: filled)
                let room = UInt32(clamping: bytes.count - filled)
                unsafe stream.pointee.avail_out = room
                let answer = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
                used = unsafe source.count - Int(stream.pointee.avail_in)
                filled += unsafe Int(room - stream.pointee.avail_out)
                return answer
            }
        }
        switch answer {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END:
            isBetweenStreams = true
            unsafe inflateReset(stream)
        default:
            throw failure(unsafe stream.pointee.msg.map { unsafe String(cString: $0) } ?? "error \(answer) of zlib")
        }
    }

    private func failure(_ reason: String) -> Errno {
        complaint = reason
        return .badMessage
    }
}
#endif
