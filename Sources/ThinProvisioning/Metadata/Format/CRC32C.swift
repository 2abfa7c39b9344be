internal import CShims

/// The checksum of every block of a pool's metadata.
///
/// It is CRC-32C without the inversion at the end, as the kernel's `crc32c()` has it.
enum CRC32C {
    private static let hasInstructions = dmshim_crc32c_supported() != 0

    /// Eight tables of 256 entries; table n tells what a byte does to the checksum when n bytes follow it.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            tables[byte] = (0..<8).reduce(UInt32(byte)) { value, _ in
                value & 1 == 0 ? value >> 1 : value >> 1 ^ 0x82f6_3b78
            }
        }
        for index in 256..<8 * 256 {
            let before = tables[index - 256]
            tables[index] = before >> 8 ^ tables[Int(before & 0xff)]
        }
        return tables
    }()

    /// The checksum of some bytes.
    static func checksum(_ bytes: RawSpan) -> UInt32 {
        guard hasInstructions else { return checksumByTables(bytes) }
        return unsafe bytes.withUnsafeBytes { unsafe dmshim_crc32c(.max, $0.baseAddress, $0.count) }
    }

    /// The checksum on a processor without instructions for it, taken eight bytes at a time.
    static func checksumByTables(_ bytes: RawSpan) -> UInt32 {
        let tables = tables.span
        var checksum = UInt32.max
        var offset = 0
        while bytes.byteCount - offset >= 8 {
            let word = UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
            let mixed = word ^ UInt64(checksum)
            checksum =
                tables[7 << 8 | Int(mixed & 0xff)] ^ tables[6 << 8 | Int(mixed >> 8 & 0xff)]
                ^ tables[5 << 8 | Int(mixed >> 16 & 0xff)] ^ tables[4 << 8 | Int(mixed >> 24 & 0xff)]
                ^ tables[3 << 8 | Int(mixed >> 32 & 0xff)] ^ tables[2 << 8 | Int(mixed >> 40 & 0xff)]
                ^ tables[1 << 8 | Int(mixed >> 48 & 0xff)] ^ tables[Int(mixed >> 56)]
            offset += 8
        }
        while offset < bytes.byteCount {
            let byte = unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            checksum = checksum >> 8 ^ tables[Int((checksum ^ UInt32(byte)) & 0xff)]
            offset += 1
        }
        return checksum
    }
}
