/// A tree of a pool's metadata: 64-bit keys in order, and values of one size.
///
/// Nothing in a node is believed. Every key must lie in the range that the node above leaves for it, and every node has
/// one; so no node can be met twice on one level, and a walk ends however the pointers go.
struct BTree {
    /// How deep a tree may be; five levels hold more than a metadata device does.
    private static let maximumDepth = 16

    let blocks: MetadataBlocks
    /// The block of the root.
    let root: UInt64
    /// The size of a value in bytes.
    let valueSize: Int
    /// All keys are below this one.
    let keyLimit: UInt64

    /// A node whose fields have been checked.
    struct Node {
        let block: MetadataBlock
        let isLeaf: Bool
        /// How many keys and values it has.
        let count: Int
        private let valueSize: Int
        private let valuesOffset: Int

        init(
            _ number: UInt64, of tree: BTree, keys: Range<UInt64>, isRoot: Bool
        ) throws(ThinMetadataError) {
            let block = try MetadataBlock(number, .node, from: tree.blocks)
            func refuse(_ detail: String) -> ThinMetadataError {
                ThinMetadataError(.inconsistent, block: number, detail)
            }
            let flags = block[NodeLayout.flags]
            guard flags == NodeLayout.internalNode || flags == NodeLayout.leaf else {
                throw refuse("no node of a tree has the flags \(flags)")
            }
            let isLeaf = flags == NodeLayout.leaf
            let (count, capacity) = (Int(block[NodeLayout.count]), Int(block[NodeLayout.capacity]))
            let valueSize = Int(block[NodeLayout.valueSize])
            guard valueSize == (isLeaf ? tree.valueSize : NodeLayout.childSize) else {
                throw refuse("the node has values of \(valueSize) bytes and belongs to another tree")
            }
            guard count <= capacity, capacity <= NodeLayout.mostEntries(ofSize: valueSize) else {
                throw refuse("the node has \(count) entries of \(capacity), which is not possible")
            }
            guard count > 0 || isRoot && isLeaf else { throw refuse("the node has no entries") }
            self.block = block
            self.isLeaf = isLeaf
            self.count = count
            self.valueSize = valueSize
            valuesOffset = NodeLayout.values(behind: capacity)
            var lowest = keys.lowerBound
            for index in 0..<count {
                let key = key(index)
                guard key >= lowest, key < keys.upperBound else {
                    throw refuse("the key \(key) is out of order, or outside of \(keys)")
                }
                lowest = key + 1
            }
        }

        func key(_ index: Int) -> UInt64 { block[NodeLayout.key(index)] }

        /// Where the value of an entry is in the block.
        func offset(_ index: Int) -> Int { valuesOffset + valueSize * index }

        /// The first eight bytes of a value, which are all of most values.
        func value(_ index: Int) -> UInt64 { block[MetadataField<UInt64>(offset(index))] }

        /// The keys that the node below an entry may have.
        fileprivate func keys(below index: Int, of keys: Range<UInt64>) -> Range<UInt64> {
            key(index)..<(index + 1 < count ? key(index + 1) : keys.upperBound)
        }
    }

    /// Calls `body` with each leaf, in the order of the keys.
    ///
    /// - Parameter isWanted: Whether to go on to a node, which has not been read yet, and what is below it.
    func forEachLeaf(
        where isWanted: (UInt64) throws -> Bool = { _ in true }, _ body: (Node) throws -> Void
    ) throws {
        try visit(root, keys: 0..<keyLimit, depth: 0, isWanted, body)
    }

    private func visit(
        _ number: UInt64, keys: Range<UInt64>, depth: Int, _ isWanted: (UInt64) throws -> Bool,
        _ body: (Node) throws -> Void
    ) throws {
        guard try isWanted(number) else { return }
        let node = try node(number, keys: keys, depth: depth)
        if node.isLeaf { return try body(node) }
        for index in 0..<node.count {
            try visit(node.value(index), keys: node.keys(below: index, of: keys), depth: depth + 1, isWanted, body)
        }
    }

    /// Finds the value of a key.
    ///
    /// - Parameter visit: Gets the block of each node on the way, from the root to the leaf.
    /// - Returns: The leaf and the index of the entry in it; `nil` when there is none.
    func find(
        _ key: UInt64, visit: (UInt64) throws(ThinMetadataError) -> Void = { _ in }
    ) throws(ThinMetadataError) -> (leaf: Node, index: Int)? {
        guard key < keyLimit else { return nil }
        var (number, keys, depth) = (root, 0..<keyLimit, 0)
        while true {
            try visit(number)
            let node = try node(number, keys: keys, depth: depth)
            // The last entry whose key is not above the wanted one.
            var (low, high) = (0, node.count)
            while low < high {
                let middle = (low + high) / 2
                if node.key(middle) <= key { low = middle + 1 } else { high = middle }
            }
            guard low > 0 else { return nil }
            if node.isLeaf { return node.key(low - 1) == key ? (node, low - 1) : nil }
            (number, keys, depth) = (node.value(low - 1), node.keys(below: low - 1, of: keys), depth + 1)
        }
    }

    /// The highest key; `nil` in an empty tree.
    func highestKey() throws(ThinMetadataError) -> UInt64? {
        var (number, keys, depth) = (root, 0..<keyLimit, 0)
        while true {
            let node = try node(number, keys: keys, depth: depth)
            let last = node.count - 1
            if node.isLeaf { return last < 0 ? nil : node.key(last) }
            (number, keys, depth) = (node.value(last), node.keys(below: last, of: keys), depth + 1)
        }
    }

    /// The highest key that is not above `key`; `nil` when there is none.
    func highestKey(notAbove key: UInt64) throws(ThinMetadataError) -> UInt64? {
        var (number, keys, depth) = (root, 0..<keyLimit, 0)
        while true {
            let node = try node(number, keys: keys, depth: depth)
            guard let index = (0..<node.count).last(where: { node.key($0) <= key }) else { return nil }
            if node.isLeaf { return node.key(index) }
            (number, keys, depth) = (node.value(index), node.keys(below: index, of: keys), depth + 1)
        }
    }

    private func node(_ number: UInt64, keys: Range<UInt64>, depth: Int) throws(ThinMetadataError) -> Node {
        guard depth < Self.maximumDepth else {
            throw ThinMetadataError(.inconsistent, block: number, "the tree is deeper than any tree can be")
        }
        return try Node(number, of: self, keys: keys, isRoot: depth == 0)
    }
}
