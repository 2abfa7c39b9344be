/// The reference counts of a device as the metadata has them, with everything that is wrong with the blocks they are in.
struct SpaceMapContent: Sendable {
    /// An entry of the index: where a bitmap is, and what the index says of it.
    struct IndexEntry: Sendable {
        let bitmap: UInt64
        let free: UInt32
    }

    let root: ReferenceCounts.Root
    private(set) var entries: [IndexEntry] = []
    /// The counts that two bits do not hold.
    private(set) var overflow: [UInt64: UInt32] = [:]
    /// The faults of the nodes of the index and of the large counts.
    private(set) var faults: [TreeFault] = []
    private let blocks: MetadataBlocks

    /// How many bitmaps there must be.
    var bitmapCount: UInt64 { (root.blocks + BitmapLayout.entries - 1) / BitmapLayout.entries }

    /// Reads the index and the large counts, and counts the use of their blocks and of the bitmaps.
    init(
        _ device: ReferenceCounts.Device, _ root: ReferenceCounts.Root, of blocks: MetadataBlocks, uses: inout BlockUses
    ) {
        self.root = root
        self.blocks = blocks
        switch device {
        case .data: readTree(&uses)
        case .metadata: readBlock(&uses)
        }
        for entry in entries where uses.add(entry.bitmap) == nil {
            faults.append(TreeFault(block: entry.bitmap, fault: .behindTheEnd))
        }
        var tree = SmallTree(blocks, valueSize: MemoryLayout<UInt32>.size, uses: uses)
        var large: [UInt64: UInt32] = [:]
        tree.read(root.overflow) { key, bytes, place in large[key] = bytes.number(MetadataField<UInt32>(place)) }
        overflow = large
        (uses, faults) = (tree.uses, faults + tree.faults)
    }

    private mutating func readTree(_ uses: inout BlockUses) {
        var tree = SmallTree(blocks, valueSize: IndexEntryLayout.size, uses: uses)
        var found: [IndexEntry] = []
        var isComplete = true
        tree.read(root.index) { key, bytes, place in
            if key != UInt64(found.count) { isComplete = false }
            found.append(Self.entry(bytes, place))
        }
        (uses, entries) = (tree.uses, found)
        faults += tree.faults
        if !isComplete || UInt64(found.count) != bitmapCount {
            faults.append(TreeFault(block: root.index, fault: .missingBitmaps))
        }
    }

    private mutating func readBlock(_ uses: inout BlockUses) {
        let buffer = PageBuffer(blocks: 1)
        guard uses.add(root.index) != nil, buffer.fill(1, from: root.index, of: blocks.source) == 1 else {
            faults.append(TreeFault(block: root.index, fault: .unreadable))
            return
        }
        guard bitmapCount <= IndexEntryLayout.mostInBlock else {
            faults.append(TreeFault(block: root.index, fault: .missingBitmaps))
            return
        }
        buffer.with(block: 0) { bytes in
            if let fault = bytes.fault(.index, root.index) {
                faults.append(TreeFault(block: root.index, fault: fault))
            } else {
                entries = (0..<Int(bitmapCount)).map { Self.entry(bytes, IndexEntryLayout.offset($0)) }
            }
        }
    }

    private static func entry(_ bytes: RawSpan, _ place: Int) -> IndexEntry {
        IndexEntry(
            bitmap: bytes.number(IndexEntryLayout.bitmap, in: place),
            free: bytes.number(IndexEntryLayout.free, in: place))
    }

    /// Reads the bitmaps in the order of the disk.
    ///
    /// - Parameter body: Gets the number of a bitmap and its bytes, or what is wrong with it.
    func forEachBitmap(_ body: (Int, RawSpan, NodeFault?) -> Void) {
        let order = entries.indices.filter { entries[$0].bitmap <= UInt64(UInt32.max) }
            .sorted { entries[$0].bitmap < entries[$1].bitmap }
        let numbers = order.map { UInt32(entries[$0].bitmap) }
        blocks.forEach(numbers[...]) { place, bytes in
            body(order[place], bytes, bytes.fault(.bitmap, UInt64(numbers[place])))
        }
    }
}

extension RawSpan {
    /// The fault of a block of a certain kind; `nil` if it has none.
    func fault(_ kind: MetadataBlock.Kind, _ number: UInt64) -> NodeFault? {
        guard byteCount == BlockHeaderLayout.blockSize else { return .unreadable }
        let checksum = CRC32C.checksum(extracting(BlockHeaderLayout.checkedFrom..<byteCount))
        let salt = self.number(BlockHeaderLayout.checksum) ^ checksum
        guard salt == kind.rawValue else { return MetadataBlock.Kind(rawValue: salt) == nil ? .checksum : .otherKind }
        return self.number(BlockHeaderLayout.number) == number ? nil : .number
    }
}
