public import DeviceMapper

/// The first block of a pool's metadata device, or of a snapshot of the metadata: what a pool is, without the kernel.
///
/// The layout is that of `drivers/md/dm-thin-metadata.c`: little-endian fields, with a checksum in front.
public struct ThinPoolSuperblock: Hashable, Sendable {
    /// The pool's transaction id.
    public let transactionID: UInt64
    /// The length of a block of the pool.
    public let blockSize: Sectors
    /// How many snapshots the pool has made so far.
    ///
    /// Mappings keep 24 bits of it, and the kernel does not look at the others: with the 16 777 216th snapshot it begins
    /// to write wrong block numbers.
    public let time: UInt32
    /// Whether the metadata must be checked before the pool can be changed again.
    public let needsCheck: Bool
    /// The block of the snapshot that is held of the metadata, if one is.
    public let heldRoot: UInt64?
    /// The use of the data device in blocks of the pool; `nil` in a snapshot of the metadata, which does not have it.
    public let dataUsage: Usage?
    /// The use of the metadata device in blocks of 4096 bytes; `nil` in a snapshot of the metadata.
    ///
    /// Other than in the pool's status, no reserve is counted as used.
    public let metadataUsage: Usage?

    /// How many blocks there are and how many of them are used.
    public struct Usage: Hashable, Sendable {
        /// How many blocks there are.
        public let total: UInt64
        /// How many of them are used.
        public let used: UInt64
    }

    /// Where the reference counts of the data blocks and of the metadata blocks are.
    let dataCounts: ReferenceCounts.Root
    let metadataCounts: ReferenceCounts.Root
    /// The root of the mappings.
    let mappings: UInt64
    /// The root of what is known of each device.
    let details: UInt64

    /// Reads a superblock.
    init(_ number: UInt64, from source: any ThinMetadataSource) throws(ThinMetadataError) {
        let bytes = try MetadataBlocks(source: source, count: .max).bytes(of: number)
        let magic: [UInt8] = [0xba, 0x52, 0x9c, 0x01, 0, 0, 0, 0]
        guard bytes[32..<40].elementsEqual(magic) else {
            throw ThinMetadataError(.notAPool, block: number, "there is no superblock of a thin pool")
        }
        let block = try MetadataBlock(bytes, number, .superblock)
        guard block.word(360) == 0, block.word(340) == 8 else {
            throw ThinMetadataError(
                .notSupported, block: number, "the pool has features that came after this program was made")
        }
        let blockSize = Sectors(UInt64(block.word(336)))
        guard blockSize.count > 0, blockSize.count % 128 == 0, blockSize.count <= 1 << 21 else {
            throw ThinMetadataError(.inconsistent, block: number, "no pool has blocks of \(blockSize.count) sectors")
        }
        self.blockSize = blockSize
        needsCheck = block.word(4) & 1 != 0
        time = block.word(44)
        transactionID = block.long(48)
        heldRoot = block.long(56) == 0 ? nil : block.long(56)
        dataCounts = ReferenceCounts.Root(block, at: 64)
        metadataCounts = ReferenceCounts.Root(block, at: 192)
        dataUsage = dataCounts.usage
        metadataUsage = metadataCounts.usage
        mappings = block.long(320)
        details = block.long(328)
    }
}
