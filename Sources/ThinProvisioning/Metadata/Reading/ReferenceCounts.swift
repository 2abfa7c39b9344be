/// The reference counts of the blocks of a device, as the pool's metadata has them: a space map.
///
/// Bitmaps hold two bits for each block. The cached bitmaps take 1 MiB at the most.
struct ReferenceCounts {
    /// The number of references to a block, as far as it is needed.
    enum Count {
        case free, one, several
    }

    /// Where the counts are, as the superblock has it.
    struct Root: Hashable, Sendable {
        let blocks: UInt64
        let used: UInt64
        /// The index of the bitmaps.
        let index: UInt64
        /// The tree of the counts above 2.
        let overflow: UInt64

        /// The counts of a superblock that was not read from a device.
        static let none = Root()

        private init() {
            (blocks, used, index, overflow) = (0, 0, 0, 0)
        }

        init(_ superblock: MetadataBlock, at offset: Int) {
            blocks = superblock[SpaceMapLayout.blocks, in: offset]
            used = superblock[SpaceMapLayout.used, in: offset]
            index = superblock[SpaceMapLayout.index, in: offset]
            overflow = superblock[SpaceMapLayout.overflow, in: offset]
        }

        /// How many blocks there are; in a snapshot of the metadata, where all fields are zero, `nil`.
        var usage: ThinPoolSuperblock.Usage? {
            blocks > 0 ? ThinPoolSuperblock.Usage(total: blocks, used: min(used, blocks)) : nil
        }
    }

    /// The two devices of a pool.
    enum Device {
        /// The bitmaps are found by a tree.
        case data
        /// The bitmaps are found by one block.
        case metadata
    }

    private static let maximumCached = 256

    private let metadata: MetadataBlocks
    private let device: Device
    private let index: UInt64
    private let blocks: UInt64
    private var cache: [UInt64: MetadataBlock] = [:]

    init(
        _ device: Device, _ root: Root, from metadata: MetadataBlocks
    ) throws(ThinMetadataError) {
        guard let usage = root.usage else {
            throw ThinMetadataError(
                .noReferenceCounts, "a snapshot of the metadata does not tell what is shared; read the metadata itself")
        }
        self.metadata = metadata
        self.device = device
        index = root.index
        blocks = usage.total
    }

    /// How often a block is referred to.
    mutating func count(of block: UInt64) throws(ThinMetadataError) -> Count {
        guard block < blocks else {
            throw ThinMetadataError(.inconsistent, "block \(block) of the \(device) device is behind its end")
        }
        let bitmap = try bitmap(block / BitmapLayout.entries)
        let (field, shift) = BitmapLayout.place(Int(block % BitmapLayout.entries))
        // The lower bit of a count stands in the higher place.
        switch bitmap[field] >> shift & 3 {
        case 0: return .free
        case 2: return .one
        default: return .several
        }
    }

    private mutating func bitmap(_ number: UInt64) throws(ThinMetadataError) -> MetadataBlock {
        if let block = cache[number] { return block }
        let block = try MetadataBlock(try location(ofBitmap: number), .bitmap, from: metadata)
        if cache.count >= Self.maximumCached { cache.removeAll() }
        cache[number] = block
        return block
    }

    private func location(ofBitmap number: UInt64) throws(ThinMetadataError) -> UInt64 {
        switch device {
        case .metadata:
            guard number < IndexEntryLayout.mostInBlock else {
                throw ThinMetadataError(.inconsistent, "the metadata is larger than it can be")
            }
            let start = IndexEntryLayout.offset(Int(number))
            return try MetadataBlock(index, .index, from: metadata)[IndexEntryLayout.bitmap, in: start]
        case .data:
            let tree = BTree(
                blocks: metadata, root: index, valueSize: IndexEntryLayout.size,
                keyLimit: UInt64.max / BitmapLayout.entries)
            guard let (leaf, entry) = try tree.find(number) else {
                throw ThinMetadataError(.inconsistent, "the reference counts from block \(number) on are missing")
            }
            return leaf.block[IndexEntryLayout.bitmap, in: leaf.offset(entry)]
        }
    }
}
