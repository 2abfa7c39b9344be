/// Why a block is not the node of a tree that it should be.
enum NodeFault: Error, Hashable {
    case unreadable, checksum, otherKind, number, flags, valueSize, capacity, count, order
    /// No range of blocks can have the highest number of 64 bits in it.
    case highestKey
    /// The room for entries is not a multiple of 3, as the kernel makes it; everything can be read all the same.
    case roomOfOtherSize
    /// A node that is no root is less than a third full; everything can be read all the same.
    case underfull
    /// A leaf where an internal node must be, or the other way round.
    case height
    /// The index of the reference counts does not lead to every bitmap.
    case missingBitmaps
    /// Something refers to a block behind the end of the metadata.
    case behindTheEnd

    /// The fault in words, as the end of a sentence about the block.
    var text: String {
        switch self {
        case .unreadable: "it cannot be read"
        case .checksum: "its checksum is wrong"
        case .otherKind: "it is a block of another kind, and not a node of a tree"
        case .number: "it has the number of another block in it"
        case .flags: "it is neither a leaf nor an internal node"
        case .valueSize: "its values do not have the size that they have in this tree"
        case .capacity: "it has room for more entries than a block has"
        case .count: "it has more entries than it has room for"
        case .order: "its keys are not in order"
        case .highestKey: "its last key is 2^64-1, which is the number of no block"
        case .roomOfOtherSize: "its room is no multiple of three entries"
        case .underfull: "it is less than a third full"
        case .height: "it is not as high in the tree as the nodes beside it"
        case .missingBitmaps: "the index below it does not have one entry for each bitmap"
        case .behindTheEnd: "it is behind the end of the metadata"
        }
    }

    /// Whether all entries of the node can be read and used.
    var isHarmless: Bool { self == .roomOfOtherSize || self == .underfull }
}

/// The header of a node of a tree, checked against the block that it is in.
struct NodeHeader {
    let isLeaf: Bool
    /// How many keys and values the node has.
    let count: Int
    /// How many it has room for.
    let capacity: Int
    /// The size of a value in bytes.
    let valueSize: Int

    /// Checks the bytes of a node, its header and the order of its keys.
    ///
    /// - Parameters:
    ///   - bytes: The block; no bytes stand for one that could not be read.
    ///   - leafValueSize: The size of the values of the tree.
    init(_ bytes: RawSpan, _ number: UInt32, leafValueSize: Int) throws(NodeFault) {
        guard bytes.byteCount == BlockHeaderLayout.blockSize else { throw .unreadable }
        let checksum = CRC32C.checksum(bytes.extracting(BlockHeaderLayout.checkedFrom..<bytes.byteCount))
        let salt = bytes.number(BlockHeaderLayout.checksum) ^ checksum
        guard salt == MetadataBlock.Kind.node.rawValue else {
            throw MetadataBlock.Kind(rawValue: salt) == nil ? .checksum : .otherKind
        }
        let flags = bytes.number(NodeLayout.flags)
        guard flags == NodeLayout.internalNode || flags == NodeLayout.leaf else { throw .flags }
        isLeaf = flags == NodeLayout.leaf
        count = Int(bytes.number(NodeLayout.count))
        capacity = Int(bytes.number(NodeLayout.capacity))
        valueSize = Int(bytes.number(NodeLayout.valueSize))
        guard valueSize == (isLeaf ? leafValueSize : NodeLayout.childSize) else { throw .valueSize }
        guard capacity <= NodeLayout.mostEntries(ofSize: valueSize) else { throw .capacity }
        guard bytes.number(BlockHeaderLayout.number) == UInt64(number) else { throw .number }
        guard count <= capacity else { throw .count }
        var last: UInt64 = 0
        for index in 0..<count {
            let key = bytes.number(NodeLayout.key(index))
            guard index == 0 || key > last else { throw .order }
            last = key
        }
        guard last < .max else { throw .highestKey }
    }

    /// A fault that keeps nothing from being read; `nil` when there is none.
    func harmlessFault(isRoot: Bool) -> NodeFault? {
        if capacity % 3 != 0 { return .roomOfOtherSize }
        return !isRoot && count < capacity / 3 ? .underfull : nil
    }

    /// Where the value of an entry is in the block.
    @inline(__always)
    func offset(_ index: Int) -> Int { NodeLayout.values(behind: capacity) + valueSize * index }

    /// The first eight bytes of a value, which are all of most values.
    @inline(__always)
    func value(_ index: Int, in bytes: RawSpan) -> UInt64 { bytes.number(MetadataField(offset(index))) }
}
