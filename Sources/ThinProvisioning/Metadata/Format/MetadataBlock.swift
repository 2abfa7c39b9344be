/// A block of a pool's metadata whose checksum and number have been checked.
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
        let checksum = unsafe CRC32C.checksum(bytes.span.bytes.extracting(BlockHeaderLayout.checkedFrom..<bytes.count))
        guard self[BlockHeaderLayout.checksum] == checksum ^ kind.rawValue else {
            throw ThinMetadataError(
                .inconsistent, block: number, "the checksum is not that of a block of the kind “\(kind)”")
        }
        let ownNumber = self[BlockHeaderLayout.number]
        guard ownNumber == number else {
            throw ThinMetadataError(.inconsistent, block: number, "it calls itself block \(ownNumber)")
        }
    }

    /// The number in a field of the block, or of a structure that begins `start` bytes behind the block's beginning.
    subscript<Value>(field: MetadataField<Value>, in start: Int = 0) -> Value {
        Self.number(field, in: bytes, from: start)
    }

    /// The number in a field of a block that has not been checked.
    static func number<Value>(_ field: MetadataField<Value>, in bytes: [UInt8], from start: Int = 0) -> Value {
        let bytes = unsafe bytes.span.bytes
        return Value(
            littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start + field.offset, as: Value.self))
    }
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
            guard bytes.count == BlockHeaderLayout.blockSize else {
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
