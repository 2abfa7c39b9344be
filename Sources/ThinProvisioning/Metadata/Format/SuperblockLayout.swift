/// `struct thin_disk_superblock` of `drivers/md/dm-thin-metadata.c`.
enum SuperblockLayout {
    /// `flags`.
    static let flags = MetadataField<UInt32>(4)
    /// `uuid`, of 16 bytes, which the kernel leaves zero.
    static let uuid = 16
    /// `magic`.
    static let magic = MetadataField<UInt64>(32)
    /// `version`: 1 or 2.
    static let version = MetadataField<UInt32>(40)
    /// `time`.
    static let time = MetadataField<UInt32>(44)
    /// `trans_id`.
    static let transactionID = MetadataField<UInt64>(48)
    /// `held_root`: the block of the snapshot of the metadata; 0 stands for none.
    static let heldRoot = MetadataField<UInt64>(56)
    /// `data_space_map_root`: a ``SpaceMapLayout`` begins here.
    static let dataSpaceMap = 64
    /// `metadata_space_map_root`: a ``SpaceMapLayout`` begins here.
    static let metadataSpaceMap = 192
    /// `data_mapping_root`.
    static let mappings = MetadataField<UInt64>(320)
    /// `device_details_root`.
    static let details = MetadataField<UInt64>(328)
    /// `data_block_size`, in sectors.
    static let dataBlockSize = MetadataField<UInt32>(336)
    /// `metadata_block_size`, in sectors.
    static let metadataBlockSize = MetadataField<UInt32>(340)
    /// `metadata_nr_blocks`: how many blocks the metadata device had when the pool was made.
    static let metadataBlocks = MetadataField<UInt64>(344)
    /// `incompat_flags`: features that a program must know to read the pool.
    static let incompatibleFeatures = MetadataField<UInt32>(360)

    /// `THIN_SUPERBLOCK_MAGIC`.
    static let magicNumber: UInt64 = 27_022_010
    /// `THIN_METADATA_NEEDS_CHECK_FLAG`.
    static let needsCheck: UInt32 = 1
    /// `THIN_METADATA_BLOCK_SIZE` in sectors.
    static let metadataBlockSectors: UInt32 = 8
}

/// `struct disk_device_details` of `drivers/md/dm-thin-metadata.c`: a value of the tree of devices.
enum DeviceDetailsLayout {
    /// `mapped_blocks`.
    static let mappedBlocks = MetadataField<UInt64>(0)
    /// `transaction_id`.
    static let transactionID = MetadataField<UInt64>(8)
    /// `creation_time`.
    static let creationTime = MetadataField<UInt32>(16)
    /// `snapshotted_time`.
    static let snapshottedTime = MetadataField<UInt32>(20)

    static let size = 24
}

/// A value of a tree of mappings, as `pack_block_time` of `drivers/md/dm-thin-metadata.c` makes it.
struct PackedMapping {
    static let size = 8
    private static let timeBits: UInt64 = 24

    let dataBlock: UInt64
    let time: UInt32

    static func packed(_ dataBlock: UInt64, time: UInt32) -> UInt64 { dataBlock << timeBits | UInt64(time) }

    init(_ value: UInt64) {
        dataBlock = value >> Self.timeBits
        time = UInt32(value & (1 << Self.timeBits - 1))
    }
}
