/// Numbers in lvm2's structures on the disk, least significant byte first.
enum LittleEndian {
    /// Reads a number, or nothing when it would reach past the end.
    static func read<Number: FixedWidthInteger & UnsignedInteger>(
        _ type: Number.Type, _ bytes: [UInt8], at offset: Int
    ) -> Number? {
        let length = Number.bitWidth / 8
        guard offset >= 0, offset <= bytes.count - length else { return nil }
        return bytes[offset..<offset + length].reversed().reduce(0) { $0 << 8 | Number($1) }
    }

    /// Overwrites a number that must lie within `bytes`.
    static func write(_ number: some FixedWidthInteger & UnsignedInteger, _ bytes: inout [UInt8], at offset: Int) {
        var rest = UInt64(number)
        for index in 0..<number.bitWidth / 8 {
            bytes[offset + index] = UInt8(truncatingIfNeeded: rest)
            rest >>= 8
        }
    }
}
