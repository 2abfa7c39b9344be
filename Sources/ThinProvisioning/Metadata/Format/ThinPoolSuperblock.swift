public import DeviceMapper

/// The first block of a pool's metadata device, or of a snapshot of the metadata: what a pool is, without the kernel.
///
/// The kernel's `drivers/md/dm-thin-metadata.c` defines the layout.
public struct ThinPoolSuperblock: Hashable, Sendable {
    /// The pool's transaction id.
    public let transactionID: UInt64
    /// The field `uuid`, 16 bytes; kernels leave it zero.
    public let uuid: [UInt8]
    /// The version of the format, 1 or 2.
    public let version: UInt32
    /// All flags of the pool; ``needsCheck`` is one of them.
    public let flags: UInt32
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

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(total: UInt64, used: UInt64) {
            self.total = total
            self.used = used
        }
    }

    /// Where the reference counts of the data blocks and of the metadata blocks are.
    let dataCounts: ReferenceCounts.Root
    let metadataCounts: ReferenceCounts.Root
    /// The root of the mappings.
    let mappings: UInt64
    /// The root of what is known of each device.
    let details: UInt64

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        transactionID: UInt64, uuid: [UInt8] = [UInt8](repeating: 0, count: 16), version: UInt32 = 2, flags: UInt32 = 0,
        blockSize: Sectors, time: UInt32 = 0, heldRoot: UInt64? = nil, dataUsage: Usage? = nil,
        metadataUsage: Usage? = nil
    ) {
        self.transactionID = transactionID
        self.uuid = uuid
        self.version = version
        self.flags = flags
        self.blockSize = blockSize
        self.time = time
        self.heldRoot = heldRoot
        self.dataUsage = dataUsage
        self.metadataUsage = metadataUsage
        needsCheck = flags & SuperblockLayout.needsCheck != 0
        (dataCounts, metadataCounts) = (.none, .none)
        (mappings, details) = (0, 0)
    }

    /// Reads a superblock.
    init(_ number: UInt64, from source: any ThinMetadataSource) throws(ThinMetadataError) {
        let bytes = try MetadataBlocks(source: source, count: .max).bytes(of: number)
        guard MetadataBlock.number(SuperblockLayout.magic, in: bytes) == SuperblockLayout.magicNumber else {
            throw ThinMetadataError(.notAPool, block: number, "there is no superblock of a thin pool")
        }
        let block = try MetadataBlock(bytes, number, .superblock)
        guard block[SuperblockLayout.incompatibleFeatures] == 0,
            block[SuperblockLayout.metadataBlockSize] == SuperblockLayout.metadataBlockSectors
        else {
            throw ThinMetadataError(
                .notSupported, block: number, "the pool has features that came after this program was made")
        }
        let blockSize = Sectors(UInt64(block[SuperblockLayout.dataBlockSize]))
        guard blockSize.count > 0, blockSize.count % 128 == 0, blockSize.count <= 1 << 21 else {
            throw ThinMetadataError(.inconsistent, block: number, "no pool has blocks of \(blockSize.count) sectors")
        }
        self.blockSize = blockSize
        uuid = (0..<16).map { block[MetadataField<UInt8>(SuperblockLayout.uuid + $0)] }
        version = block[SuperblockLayout.version]
        flags = block[SuperblockLayout.flags]
        needsCheck = flags & SuperblockLayout.needsCheck != 0
        time = block[SuperblockLayout.time]
        transactionID = block[SuperblockLayout.transactionID]
        let heldRoot = block[SuperblockLayout.heldRoot]
        self.heldRoot = heldRoot == 0 ? nil : heldRoot
        dataCounts = ReferenceCounts.Root(block, at: SuperblockLayout.dataSpaceMap)
        metadataCounts = ReferenceCounts.Root(block, at: SuperblockLayout.metadataSpaceMap)
        dataUsage = dataCounts.usage
        metadataUsage = metadataCounts.usage
        mappings = block[SuperblockLayout.mappings]
        details = block[SuperblockLayout.details]
    }
}
