/// Writes the nodes of trees from below, each as full as possible.
struct PackedTree {
    /// A node that has been written, for the node above it.
    struct Child {
        let block: UInt64
        let firstKey: UInt64
        /// How many entries it has.
        let count: Int
    }

    let output: MetadataOutput
    /// How often each block that was written is referred to, by its number; blocks that it does not have are not counted.
    private(set) var references: BlockReferences

    init(_ output: MetadataOutput) {
        self.output = output
        references = BlockReferences()
        references.add(0)
    }

    /// The most entries of a node, a multiple of three as the kernel has it.
    static func capacity(ofSize valueSize: Int) -> Int { NodeLayout.mostEntries(ofSize: valueSize) / 3 * 3 }

    /// Counts one reference more to a block.
    mutating func refer(to block: UInt64) {
        references.add(block)
    }

    /// Writes a node.
    ///
    /// - Parameters:
    ///   - keys: The keys, in order.
    ///   - valueSize: The size of a value in bytes.
    ///   - value: Writes the value of an entry at an offset.
    mutating func node(
        isLeaf: Bool, keys: ArraySlice<UInt64>, valueSize: Int,
        _ value: (_ index: Int, _ block: inout MutableRawSpan, _ offset: Int) -> Void
    ) throws(ThinMetadataWriteError) -> Child {
        let capacity = Self.capacity(ofSize: valueSize)
        let values = NodeLayout.values(behind: capacity)
        let block = try output.append(.node) { block in
            block.put(isLeaf ? NodeLayout.leaf : NodeLayout.internalNode, NodeLayout.flags)
            block.put(UInt32(keys.count), NodeLayout.count)
            block.put(UInt32(capacity), NodeLayout.capacity)
            block.put(UInt32(valueSize), NodeLayout.valueSize)
            for (place, index) in keys.indices.enumerated() {
                block.put(keys[index], NodeLayout.key(place))
                value(index, &block, values + valueSize * place)
            }
        }
        return Child(block: block, firstKey: keys.first ?? 0, count: keys.count)
    }

    /// Writes a tree of values that are all in memory.
    ///
    /// - Returns: Its root.
    mutating func tree(
        keys: [UInt64], valueSize: Int,
        _ value: (_ index: Int, _ block: inout MutableRawSpan, _ offset: Int) -> Void
    ) throws(ThinMetadataWriteError) -> UInt64 {
        var leaves: [Child] = []
        for part in Self.parts(of: keys.count, capacity: Self.capacity(ofSize: valueSize)) {
            leaves.append(try node(isLeaf: true, keys: keys[part], valueSize: valueSize, value))
        }
        return try tree(above: leaves)
    }

    /// Writes the nodes above leaves, and counts the references to these.
    ///
    /// - Parameter leaves: At least one.
    /// - Returns: The root, whose own references are the caller's to count.
    mutating func tree(above leaves: [Child]) throws(ThinMetadataWriteError) -> UInt64 {
        var level = leaves
        while level.count > 1 {
            var above: [Child] = []
            let keys = level.map(\.firstKey)
            for part in Self.parts(of: level.count, capacity: Self.capacity(ofSize: NodeLayout.childSize)) {
                for child in level[part] { references.add(child.block) }
                above.append(
                    try node(isLeaf: false, keys: keys[part], valueSize: NodeLayout.childSize) { index, block, offset in
                        block.put(level[index].block, MetadataField<UInt64>(offset))
                    })
            }
            level = above
        }
        return level.first?.block ?? 0
    }

    /// Divides entries among nodes: full ones, and two of half the rest at the end where the last would have too few.
    static func parts(of count: Int, capacity: Int) -> [Range<Int>] {
        var (parts, start): ([Range<Int>], Int) = ([], 0)
        while count - start >= 2 * capacity {
            parts.append(start..<start + capacity)
            start += capacity
        }
        if count - start > capacity {
            let middle = start + (count - start + 1) / 2
            parts.append(start..<middle)
            start = middle
        }
        parts.append(start..<count)
        return parts
    }
}

/// How often the blocks of the metadata that is written are referred to.
struct BlockReferences {
    private var counts: [UInt32] = []

    /// One more than the last block that is referred to.
    var end: UInt64 { UInt64(counts.count) }

    subscript(_ block: UInt64) -> UInt32 { block < end ? counts[Int(block)] : 0 }

    mutating func add(_ block: UInt64) {
        // Behind the largest metadata, blocks are only counted, by the output.
        guard block < MetadataOutput.mostBlocks else { return }
        if block >= end { counts += [UInt32](repeating: 0, count: Int(block) + 1 - counts.count) }
        counts[Int(block)] += 1
    }
}
