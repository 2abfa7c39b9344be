internal import SystemCalls
internal import SystemPackage

/// The contents of a file that is being unpacked.
final class UnpackedContents {
    /// The length in bytes of an aligned run of zeros that becomes a hole: the smallest block of a thin pool.
    private static let holeSize = 1 << 16

    /// The file, open for writing.
    let file: HeldFile
    private var end: Int64 = 0

    init(_ file: HeldFile) {
        self.file = file
    }

    private var descriptor: FileDescriptor { file.descriptor }

    /// Reads all contents of an entry, and writes them where they belong.
    func write(_ entry: TarEntry, from reader: TarReader) throws(LayerArchiveError) {
        try reader.readContents { (offset, bytes) throws(LayerArchiveError) in
            do throws(Errno) {
                try write(bytes, at: offset)
            } catch {
                throw LayerArchiveError(.file, "cannot write", errno: error)
            }
        }
        guard end < entry.size else { return }
        do {
            try systemCall { ftruncate(descriptor.rawValue, off_t(entry.size)) }
        } catch {
            throw LayerArchiveError(.file, "cannot set the size of", errno: error)
        }
    }

    /// Writes a piece, without the zeros that fill whole blocks.
    private func write(_ bytes: Span<UInt8>, at offset: Int64) throws(Errno) {
        var start = 0
        var position = 0
        while position < bytes.count {
            let toBoundary = Self.holeSize - Int(offset + Int64(position)) % Self.holeSize
            let next = min(position + toBoundary, bytes.count)
            if next - position == Self.holeSize, Self.isZero(bytes.extracting(position..<next)) {
                try writeAll(bytes.extracting(start..<position), at: offset + Int64(start))
                start = next
            }
            position = next
        }
        try writeAll(bytes.extracting(start..<position), at: offset + Int64(start))
    }

    private static func isZero(_ bytes: Span<UInt8>) -> Bool {
        unsafe bytes.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress, unsafe bytes[0] == 0 else { return false }
            // Every byte is as the one before.
            return unsafe memcmp(start, start + 1, bytes.count - 1) == 0
        }
    }

    private func writeAll(_ bytes: Span<UInt8>, at offset: Int64) throws(Errno) {
        var written = 0
        while written < bytes.count {
            written += try systemCall {
                unsafe bytes.withUnsafeBufferPointer { all in
                    let rest = unsafe UnsafeBufferPointer(rebasing: all[written...])
                    return unsafe pwrite(descriptor.rawValue, rest.baseAddress, rest.count, off_t(offset) + written)
                }
            }
        }
        if written > 0 { end = offset + Int64(written) }
    }
}
