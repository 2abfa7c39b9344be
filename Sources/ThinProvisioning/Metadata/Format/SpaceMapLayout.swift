/// `struct disk_sm_root` of `drivers/md/persistent-data/dm-space-map-common.h`: where the reference counts are.
enum SpaceMapLayout {
    /// `nr_blocks`.
    static let blocks = MetadataField<UInt64>(0)
    /// `nr_allocated`.
    static let used = MetadataField<UInt64>(8)
    /// `bitmap_root`: the index of the bitmaps.
    static let index = MetadataField<UInt64>(16)
    /// `ref_count_root`: the tree of the counts that two bits do not hold.
    static let overflow = MetadataField<UInt64>(24)
}

/// `struct disk_index_entry` of the same file: where one bitmap is.
///
/// It is a value of the tree that finds the bitmaps of the data device. The entries for the metadata device are in one block
/// (`struct disk_metadata_index`).
enum IndexEntryLayout {
    /// `blocknr`.
    static let bitmap = MetadataField<UInt64>(0)
    /// `nr_free`: how many entries of the bitmap are zero.
    static let free = MetadataField<UInt32>(8)
    /// `none_free_before`: no entry of the bitmap before this one is zero.
    static let firstFree = MetadataField<UInt32>(12)

    static let size = 16
    /// `MAX_METADATA_BITMAPS`: how many entries the one block has.
    static let mostInBlock: UInt64 = 255

    /// Where an entry of the one block begins, behind the block's header.
    static func offset(_ index: Int) -> Int { 16 + size * index }
}

/// A bitmap, with a `struct disk_bitmap_header` of the same file in front: two bits for each block.
enum BitmapLayout {
    static let headerSize = 16
    private static let entriesPerByte = 4

    /// How many blocks one bitmap covers.
    static let entries = UInt64((BlockHeaderLayout.blockSize - headerSize) * entriesPerByte)

    /// The byte with the bits of an entry, and how far they are from its lowest bit.
    static func place(_ entry: Int) -> (field: MetadataField<UInt8>, shift: Int) {
        (MetadataField(headerSize + entry / entriesPerByte), 2 * (entry % entriesPerByte))
    }
}
