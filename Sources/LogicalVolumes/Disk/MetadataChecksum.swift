/// The checksum of lvm2's labels, metadata areas and texts: a reflected CRC-32 with a start value of lvm2's own and no
/// inversion at the end.
enum MetadataChecksum {
    private static let start: UInt32 = 0xf597_a6cf

    private static let table: [UInt32] = (0..<256).map { index in
        var value = UInt32(index)
        for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
        return value
    }

    static func of(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        unsafe table.withUnsafeBufferPointer { table in
            var value = start
            for byte in bytes { value = unsafe table[Int((value ^ UInt32(byte)) & 0xff)] ^ value >> 8 }
            return value
        }
    }

    static func of(_ bytes: [UInt8]) -> UInt32 { of(bytes[...]) }
}
