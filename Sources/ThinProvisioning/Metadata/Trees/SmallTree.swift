/// A tree of a pool's metadata that is read whole and one node at a time: that of the devices, of the roots of their
/// mappings, or of a space map.
///
/// Every node is read once, whatever refers to it. A fault is kept and does not end the walk.
struct SmallTree {
    let blocks: MetadataBlocks
    /// The size of the values in bytes.
    let valueSize: Int
    /// How often each block is used; a node that was used before is counted and not read again.
    var uses: BlockUses
    /// Everything wrong that was met.
    var faults: [TreeFault] = []

    init(_ blocks: MetadataBlocks, valueSize: Int, uses: BlockUses) {
        self.blocks = blocks
        self.valueSize = valueSize
        self.uses = uses
    }

    /// Reads the tree of a root.
    ///
    /// - Parameter entry: Gets each key, the leaf, and the place of the value in it.
    mutating func read(_ root: UInt64, _ entry: (UInt64, RawSpan, Int) throws -> Void) rethrows {
        try visit(root, 0, nil, depth: 0, entry)
    }

    private mutating func visit(
        _ block: UInt64, _ low: UInt64, _ high: UInt64?, depth: Int, _ entry: (UInt64, RawSpan, Int) throws -> Void
    ) rethrows {
        guard let isFirst = uses.add(block) else {
            faults.append(TreeFault(block: block, fault: .behindTheEnd))
            return
        }
        guard isFirst else { return }
        let buffer = PageBuffer(blocks: 1)
        guard depth < 16, buffer.fill(1, from: block, of: blocks.source) == 1 else {
            faults.append(TreeFault(block: block, fault: depth < 16 ? .unreadable : .height))
            return
        }
        var children: [(block: UInt64, key: UInt64)] = []
        try buffer.with(block: 0) { bytes in
            let node: NodeHeader
            do throws(NodeFault) {
                node = try NodeHeader(bytes, UInt32(block), leafValueSize: valueSize)
            } catch {
                faults.append(TreeFault(block: block, fault: error))
                return
            }
            if let fault = node.harmlessFault(isRoot: depth == 0) {
                faults.append(TreeFault(block: block, fault: fault))
            }
            let outside = (0..<node.count).contains { index in
                let key = bytes.number(NodeLayout.key(index))
                return key < low || high.map { key >= $0 } ?? false
            }
            if outside { faults.append(TreeFault(block: block, fault: .order)) }
            for index in 0..<node.count {
                let key = bytes.number(NodeLayout.key(index))
                if node.isLeaf {
                    try entry(key, bytes, node.offset(index))
                } else {
                    children.append((node.value(index, in: bytes), key))
                }
            }
        }
        for (index, child) in children.enumerated() {
            let end = index + 1 < children.count ? children[index + 1].key : high
            try visit(child.block, child.key, end, depth: depth + 1, entry)
        }
    }
}
