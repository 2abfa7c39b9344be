/// `struct label_header` of lvm2's `lib/label/label.h`: the sector with the label of a physical volume.
enum LabelLayout {
    /// `id`.
    static let magic = Array("LABELONE".utf8)
    /// `sector_xl`: the sector that the label is in.
    static let sector = 8
    /// `crc_xl`: the checksum of the rest of the sector.
    static let checksum = 16
    /// `offset_xl`: where the header of the physical volume begins in the sector.
    static let headerOffset = 20
    /// `type`: which program's label it is.
    static let type = 24

    /// The first byte that the checksum covers.
    static let checkedFrom = headerOffset
    /// The length of the structure, and so the least ``headerOffset``.
    static let length = 32
}

/// `struct pv_header` of lvm2's `lib/format_text/layout.h`.
///
/// Behind it are the list of the data areas and the list of the metadata areas, each ended by an area with zeros, and behind
/// the lists is the extension.
enum PhysicalVolumeHeaderLayout {
    /// `device_size_xl`, behind `pv_uuid`.
    static let deviceSize = 32

    /// The length of `pv_uuid`, with which the header begins.
    static let identifierLength = 32
    /// The length of the structure; the lists begin here.
    static let length = 40
}

/// `struct disk_locn` of the same file: an entry of a list of areas.
enum AreaLayout {
    /// `offset`, in bytes; 0 ends the list.
    static let offset = 0
    /// `size`, in bytes.
    static let size = 8

    static let length = 16
}

/// `struct pv_header_extension` of the same file; the list of the areas for boot loaders is behind it.
enum HeaderExtensionLayout {
    /// `version`; 0 stands for no extension, and the list came with version 2.
    static let version = 0
    /// `flags`.
    static let flags = 4

    /// The length of the structure.
    static let length = 8
    /// `PV_EXT_USED`.
    static let isUsed: UInt32 = 1
}

/// `struct mda_header` of the same file: the first sector of a metadata area.
enum AreaHeaderLayout {
    /// `checksum_xl`: the checksum of the rest of the sector.
    static let checksum = 0
    /// `magic`.
    static let magic = 4
    /// `version`.
    static let version = 20
    /// `start`: where the area begins on the device, in bytes.
    static let start = 24
    /// `size`: how many bytes the area has.
    static let size = 32
    /// `raw_locns`: the texts; a ``SlotLayout`` for each.
    static let slots = 40

    /// The first byte that the checksum covers.
    static let checkedFrom = magic
}

/// `struct raw_locn` of the same file: where a text is in its metadata area.
enum SlotLayout {
    /// `offset`: from the beginning of the area, in bytes; 0 stands for no text.
    static let offset = 0
    /// `size`, in bytes.
    static let size = 8
    /// `checksum`.
    static let checksum = 16
    /// `flags`.
    static let flags = 20

    static let length = 24
    /// `RAW_LOCN_IGNORED`.
    static let isIgnored: UInt32 = 1
}
