#if Images
/// The checksum CRC-64 with the polynomial of ISO 3309, by which Docker knows the content of a file.
struct CRC64 {
    /// Eight tables of 256 values: with them, eight bytes are taken at once.
    private static let tables: [UInt64] = {
        var tables = [UInt64](repeating: 0, count: 8 * 256)
        for index in 0..<256 {
            var value = UInt64(index)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xd800_0000_0000_0000 : value >> 1 }
            tables[index] = value
        }
        for index in 256..<tables.count {
            let value = tables[index - 256]
            tables[index] = tables[Int(value & 0xff)] ^ value >> 8
        }
        return tables
    }()

    private var state = ~UInt64(0)

    /// The checksum of all bytes until here.
    var value: UInt64 { ~state }

    mutating func update(_ bytes: Span<UInt8>) {
        var state = state
        unsafe Self.tables.withUnsafeBufferPointer { tables in
            unsafe bytes.withUnsafeBytes { bytes in
                var offset = 0
                while offset + 8 <= bytes.count {
                    let word =
                        unsafe state
                        ^ UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                    state = 0
                    for byte in 0..<8 {
                        unsafe state ^= tables[(7 - byte) * 256 + Int(word >> UInt64(8 * byte) & 0xff)]
                    }
                    offset += 8
                }
                while offset < bytes.count {
                    unsafe state = tables[Int(UInt8(truncatingIfNeeded: state) ^ bytes[offset])] ^ state >> 8
                    offset += 1
                }
            }
        }
        self.state = state
    }
}
#endif
