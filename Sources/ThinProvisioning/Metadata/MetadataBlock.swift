/// A block of a pool's metadata that is what it says it is: its checksum and its number were right.
struct MetadataBlock {
    /// The kinds of blocks; the salt of the checksum tells them apart.
    enum Kind: UInt32 {
        case superblock = 160_774
        case node = 121_107
        case bitmap = 240_779
        case index = 160_478
    }

    let number: UInt64
    private let bytes: [UInt8]

    /// Reads a block.
    init(_ number: UInt64, _ kind: Kind, from blocks: MetadataBlocks) throws(ThinMetadataError) {
        try self.init(blocks.bytes(of: number), number, kind)
    }

    /// Checks the bytes of a block.
    init(_ bytes: [UInt8], _ number: UInt64, _ kind: Kind) throws(ThinMetadataError) {
        self.number = number
        self.bytes = bytes
        let checksum = unsafe CRC32C.checksum(bytes.span.bytes.extracting(4..<bytes.count))
        guard word(0) == checksum ^ kind.rawValue else {
            throw ThinMetadataError(
                .inconsistent, block: number, "the checksum is not that of a block of the kind “\(kind)”")
        }
        guard long(8) == number else {
            throw ThinMetadataError(.inconsistent, block: number, "it calls itself block \(long(8))")
        }
    }

    /// The 32-bit number at an offset in bytes.
    func word(_ offset: Int) -> UInt32 {
        UInt32(littleEndian: unsafe bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// The 64-bit number at an offset in bytes.
    func long(_ offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafe bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The byte at an offset.
    func byte(_ offset: Int) -> UInt8 { bytes[offset] }
}

/// The blocks of a metadata device, as far as the pool uses it.
struct MetadataBlocks: Sendable {
    let source: any ThinMetadataSource
    /// How many there are.
    let count: UInt64

    /// Reads the bytes of a block; there are as many as there must be.
    func bytes(of number: UInt64) throws(ThinMetadataError) -> [UInt8] {
        guard number < count else {
            throw ThinMetadataError(
                .inconsistent, block: number, "something refers to it, and there are \(count) blocks")
        }
        do {
            let bytes = try source.readBlock(number)
            guard bytes.count == ThinPoolMetadata.blockSize else {
                throw ThinMetadataError(.unreadable, block: number, "\(bytes.count) bytes were read instead of 4096")
            }
            return bytes
        } catch let error as ThinMetadataError {
            throw error
        } catch {
            throw ThinMetadataError(.unreadable, block: number, "it cannot be read: \(error)", underlying: error)
        }
    }
}
