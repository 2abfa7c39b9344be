/// `struct btree_node` of `drivers/md/persistent-data/dm-btree-internal.h`: a header, the keys, and behind room for as many
/// keys as the node may have, the values.
enum NodeLayout {
    /// `flags`: ``internalNode`` or ``leaf``.
    static let flags = MetadataField<UInt32>(4)
    /// `nr_entries`.
    static let count = MetadataField<UInt32>(16)
    /// `max_entries`.
    static let capacity = MetadataField<UInt32>(20)
    /// `value_size`, in bytes.
    static let valueSize = MetadataField<UInt32>(24)

    /// `INTERNAL_NODE`.
    static let internalNode: UInt32 = 1
    /// `LEAF_NODE`.
    static let leaf: UInt32 = 2

    /// `sizeof(struct node_header)`.
    static let headerSize = 32
    static let keySize = 8
    /// The size of the value of a node that is no leaf: the number of a block.
    static let childSize = 8

    /// The fewest nodes below an internal node that is no root: a third of its room.
    static let fewestChildren = mostEntries(ofSize: childSize) / 3

    static func key(_ index: Int) -> MetadataField<UInt64> { MetadataField(headerSize + keySize * index) }

    /// Where the first value of a node with room for so many entries is.
    static func values(behind capacity: Int) -> Int { headerSize + keySize * capacity }

    /// The most entries that fit in a node.
    static func mostEntries(ofSize valueSize: Int) -> Int {
        (BlockHeaderLayout.blockSize - headerSize) / (keySize + valueSize)
    }
}
