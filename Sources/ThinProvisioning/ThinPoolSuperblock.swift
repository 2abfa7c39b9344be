public import DeviceMapper

/// The first block of a pool's metadata device: what a pool is, without the kernel.
///
/// The layout is that of `drivers/md/dm-thin-metadata.c`: little-endian fields, with a checksum in front.
public struct ThinPoolSuperblock: Hashable, Sendable {
    /// How much of the metadata device is read, in bytes.
    public static let size = 4096

    /// The pool's transaction id.
    public let transactionID: UInt64
    /// The length of a block of the pool.
    public let blockSize: Sectors
    /// How many snapshots the pool has made so far.
    ///
    /// Mappings keep 24 bits of it.
    public let time: UInt32
    /// Whether the metadata must be checked before the pool can be changed again.
    public let needsCheck: Bool

    /// Reads a superblock.
    ///
    /// - Parameter bytes: The first ``size`` bytes of the device.
    /// - Throws: `DeviceMapperError.Code.malformedAnswer` when they are no superblock, or their checksum is wrong.
    public init(_ bytes: [UInt8]) throws(DeviceMapperError) {
        guard bytes.count >= Self.size else {
            throw DeviceMapperError(.malformedAnswer, detail: "the metadata device is shorter than 4096 bytes")
        }
        func number(_ offset: Int, _ width: Int) -> UInt64 {
            bytes[offset..<offset + width].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        let magic: UInt64 = 27_022_010
        guard number(32, 8) == magic else {
            throw DeviceMapperError(.malformedAnswer, detail: "there is no thin pool on the metadata device")
        }
        let salt: UInt32 = 160_774
        guard number(0, 4) == UInt64(Self.checksum(bytes[4..<Self.size]) ^ salt) else {
            throw DeviceMapperError(
                .malformedAnswer, detail: "the superblock of the pool's metadata is damaged; thin_repair may mend it")
        }
        needsCheck = number(4, 4) & 1 != 0
        time = UInt32(number(44, 4))
        transactionID = number(48, 8)
        blockSize = Sectors(number(336, 4))
    }

    /// CRC-32C as the kernel uses it: without the inversion at the end.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.reduce(.max) { checksum, byte in
            (0..<8).reduce(checksum ^ UInt32(byte)) { value, _ in
                value & 1 == 0 ? value >> 1 : value >> 1 ^ 0x82f6_3b78
            }
        }
    }
}
