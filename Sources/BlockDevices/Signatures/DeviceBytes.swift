/// The bytes of a device, for code that looks at many small places of it.
///
/// It keeps every piece that it has read.
final class DeviceBytes {
    /// The size in bytes.
    let size: UInt64
    private let readRange: (UInt64, Int) throws -> [UInt8]
    private var pieces: [UInt64: [UInt8]] = [:]
    private static let pieceSize: UInt64 = 64 << 10

    init(size: UInt64, read: @escaping (_ offset: UInt64, _ count: Int) throws -> [UInt8]) {
        self.size = size
        readRange = read
    }

    /// Reads `count` bytes; beyond the end of the device everything is zero.
    func read(at offset: UInt64, count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            let (position, overflows) = offset.addingReportingOverflow(UInt64(bytes.count))
            guard !overflows, position < size else { break }
            let piece = try piece(position / Self.pieceSize)
            let start = Int(position % Self.pieceSize)
            guard start < piece.count else { break }
            bytes += piece[start..<min(piece.count, start + count - bytes.count)]
        }
        return bytes + [UInt8](repeating: 0, count: count - bytes.count)
    }

    private func piece(_ index: UInt64) throws -> [UInt8] {
        if let piece = pieces[index] { return piece }
        let piece = try readRange(index * Self.pieceSize, Int(Self.pieceSize))
        pieces[index] = piece
        return piece
    }
}

/// The structure on a device whose magic bytes have been found.
struct SignedStructure {
    let device: DeviceBytes
    /// Where it begins.
    let start: UInt64

    /// Reads `count` bytes of it; beyond the end of the device everything is zero.
    func bytes(_ offset: UInt64, _ count: Int) throws -> [UInt8] {
        let (position, overflows) = start.addingReportingOverflow(offset)
        return overflows ? [UInt8](repeating: 0, count: count) : try device.read(at: position, count: count)
    }

    /// Whether it has these bytes at an offset.
    func has(_ magic: Magic, _ offset: UInt64) throws -> Bool {
        try bytes(offset, magic.bytes.count) == magic.bytes
    }

    /// A number of `width` bytes, the least significant first.
    func little(_ offset: UInt64, _ width: Int) throws -> UInt64 {
        try bytes(offset, width).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// A number of `width` bytes, the most significant first.
    func big(_ offset: UInt64, _ width: Int) throws -> UInt64 {
        try bytes(offset, width).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension UInt64 {
    var isPowerOfTwo: Bool { nonzeroBitCount == 1 }
}
