/// The leaves of one device or of one shared part, while they are written.
///
/// Every leaf of a tree with several has at least a third of the entries that fit. Where a few mappings stand beside a shared
/// leaf, they are put together with a copy of that leaf's.
struct MappingLeaves {
    private static let capacity = PackedTree.capacity(ofSize: PackedMapping.size)
    private static let fewest = capacity / 3

    private(set) var leaves: [PackedTree.Child] = []
    private var keys: [UInt64] = []
    private var values: [UInt64] = []
    /// All keys so far are below this one.
    private(set) var nextKey: UInt64 = 0
    /// How many mappings there are.
    private(set) var mapped: UInt64 = 0

    init() {
        keys.reserveCapacity(2 * Self.capacity)
        values.reserveCapacity(2 * Self.capacity)
    }

    /// Takes a run of mappings.
    mutating func add(
        _ run: ThinMapping, to tree: inout PackedTree, _ counts: inout DataBlockCounts
    ) throws(ThinMetadataWriteError) {
        guard run.thinBlocks.lowerBound >= nextKey else {
            throw ThinMetadataWriteError(
                .invalid, "keys out of order: thin block \(run.thinBlocks.lowerBound) comes after \(nextKey - 1)")
        }
        try takeBackSmallLeaf(&tree, &counts)
        var (block, offset) = (run.thinBlocks.lowerBound, UInt64(0))
        let length = UInt64(run.thinBlocks.count)
        if !tree.output.isFull { counts.add(run.dataBlock..<run.dataBlock + length) }
        while offset < length {
            let room = min(length - offset, UInt64(2 * Self.capacity - keys.count))
            for _ in 0..<room {
                keys.append(block)
                values.append(PackedMapping.packed(run.dataBlock + offset, time: run.time))
                block += 1
                offset += 1
            }
            if keys.count == 2 * Self.capacity { try writeFirst(Self.capacity, to: &tree) }
        }
        nextKey = run.thinBlocks.upperBound
        mapped += length
    }

    /// Takes the leaves of a shared part.
    mutating func add(
        _ part: MappingLeaves.Result, to tree: inout PackedTree, _ counts: inout DataBlockCounts
    ) throws(ThinMetadataWriteError) {
        guard part.mapped > 0, let first = part.leaves.first else { return }
        guard first.firstKey >= nextKey else {
            throw ThinMetadataWriteError(
                .invalid,
                "keys out of order: a shared part begins with thin block \(first.firstKey), after \(nextKey - 1)")
        }
        mapped += part.mapped
        nextKey = part.end
        var added = part.leaves[...]
        try takeBackSmallLeaf(&tree, &counts)
        if first.count < Self.fewest, added.count == 1, !(leaves.isEmpty && keys.isEmpty) {
            return try takeBack(first, before: false, &tree, &counts)
        }
        if !keys.isEmpty, keys.count < Self.fewest {
            if let last = leaves.popLast() {
                try takeBack(last, before: true, &tree, &counts)
            } else {
                try takeBack(first, before: false, &tree, &counts)
                added.removeFirst()
                if added.isEmpty { return }
            }
        }
        try writeAll(to: &tree)
        leaves += added
    }

    /// A leaf that stands alone may be small; it may not when something follows.
    private mutating func takeBackSmallLeaf(
        _ tree: inout PackedTree, _ counts: inout DataBlockCounts
    ) throws(ThinMetadataWriteError) {
        guard leaves.count == 1, leaves[0].count < Self.fewest else { return }
        try takeBack(leaves.removeLast(), before: true, &tree, &counts)
    }

    /// Copies the mappings of a leaf to those that will be written.
    private mutating func takeBack(
        _ leaf: PackedTree.Child, before: Bool, _ tree: inout PackedTree, _ counts: inout DataBlockCounts
    ) throws(ThinMetadataWriteError) {
        var entries: [(key: UInt64, value: UInt64)] = []
        if tree.output.isFull {
            // Nothing is written any more, and only the number of entries matters.
            entries = (0..<leaf.count).map { (leaf.firstKey + UInt64($0), 0) }
        } else {
            entries = Self.entries(of: try tree.output.read(leaf.block), count: leaf.count)
            for entry in entries {
                let block = PackedMapping(entry.value).dataBlock
                counts.add(block..<block + 1)
            }
        }
        keys.insert(contentsOf: entries.map(\.key), at: before ? 0 : keys.count)
        values.insert(contentsOf: entries.map(\.value), at: before ? 0 : values.count)
        while keys.count >= 2 * Self.capacity { try writeFirst(Self.capacity, to: &tree) }
    }

    /// The mappings of a leaf that has been written.
    static func entries(of leaf: [UInt8], count: Int) -> [(key: UInt64, value: UInt64)] {
        let values = NodeLayout.values(behind: capacity)
        return (0..<count).map { index in
            (
                MetadataBlock.number(NodeLayout.key(index), in: leaf),
                MetadataBlock.number(MetadataField<UInt64>(values + PackedMapping.size * index), in: leaf)
            )
        }
    }

    private mutating func writeFirst(_ count: Int, to tree: inout PackedTree) throws(ThinMetadataWriteError) {
        let values = values
        leaves.append(
            try tree.node(isLeaf: true, keys: keys[..<count], valueSize: PackedMapping.size) { index, block, offset in
                block.put(values[index], MetadataField<UInt64>(offset))
            })
        keys.removeFirst(count)
        self.values.removeFirst(count)
    }

    private mutating func writeAll(to tree: inout PackedTree) throws(ThinMetadataWriteError) {
        for part in PackedTree.parts(of: keys.count, capacity: Self.capacity) where !part.isEmpty {
            try writeFirst(part.count, to: &tree)
        }
    }

    /// The leaves of a device or part that is complete.
    struct Result {
        /// At least one, which is empty where nothing is mapped.
        let leaves: [PackedTree.Child]
        /// How many blocks are mapped.
        let mapped: UInt64
        /// All thin blocks are below this one.
        let end: UInt64
        /// The root, once a device has exactly this part.
        var root: UInt64?
    }

    /// Writes what is left.
    mutating func finish(
        _ tree: inout PackedTree, _ counts: inout DataBlockCounts
    ) throws(ThinMetadataWriteError) -> Result {
        if !keys.isEmpty, keys.count < Self.fewest, let last = leaves.popLast() {
            try takeBack(last, before: true, &tree, &counts)
        }
        try writeAll(to: &tree)
        if leaves.isEmpty {
            leaves.append(try tree.node(isLeaf: true, keys: [], valueSize: PackedMapping.size) { _, _, _ in })
        }
        return Result(leaves: leaves, mapped: mapped, end: nextKey)
    }
}
