/// The space that a thin device takes in its pool.
public struct ThinDeviceUsage: Hashable, Sendable {
    /// The description of the device.
    public let details: ThinDeviceDetails
    /// How many blocks are mapped.
    public let mapped: UInt64
    /// How many data blocks only this device has: what its deletion frees.
    public let exclusive: UInt64
    /// The highest mapped block; `nil` where nothing is mapped.
    public let highest: UInt64?

    init(details: ThinDeviceDetails, mapped: UInt64, exclusive: UInt64, highest: UInt64?) {
        self.details = details
        self.mapped = mapped
        self.exclusive = exclusive
        self.highest = highest
    }

    /// A device by its description alone; its mappings were not read.
    public init(describing details: ThinDeviceDetails) {
        self.init(details: details, mapped: details.mappedBlocks, exclusive: 0, highest: nil)
    }

    /// How many blocks the device shares with other devices.
    public var shared: UInt64 { mapped - min(exclusive, mapped) }
}

extension ThinPoolMetadata {
    /// The space that each thin device takes in the pool, in the order of their numbers.
    ///
    /// The mappings themselves are counted, not the reference counts of the pool; so the answer is right in a snapshot of
    /// the metadata too. Every leaf is read once, and once more where mappings of several leaves lead to one block.
    ///
    /// - Throws: ``ThinMetadataError``.
    public func usage() throws -> [ThinDeviceUsage] {
        let trees = try deviceTrees()
        let forest = MappingForest(trees.map(\.root), of: blocks, uses: BlockUses(below: blocks.bound))
        let most = UInt64(blocks.bound) * BitmapLayout.entries
        let data = DataUses(below: superblock.dataUsage.map { min($0.total, most) } ?? most)
        let (leaves, rest) = forest.readLeaves({ [UInt64]() }) { state, _, node, bytes in
            for index in 0..<node.count { state.append(PackedMapping(node.value(index, in: bytes)).dataBlock) }
            data.addIfMany(&state)
        }
        for blocks in rest { data.add(blocks) }
        let exclusive = forest.exclusive(leaves, data.take())
        var summaries = MappingSummaries(forest, leaves)
        return try trees.map { tree in
            let sum = summaries.subtree(of: tree.root)
            guard !sum.isBroken else {
                throw ThinMetadataError(.inconsistent, "the mappings of device \(tree.details.id) cannot be read")
            }
            return ThinDeviceUsage(
                details: tree.details, mapped: sum.mapped,
                exclusive: forest.exclusive(UInt32(truncatingIfNeeded: tree.root), exclusive),
                highest: sum.mapped > 0 ? sum.high : nil)
        }
    }
}

extension MappingForest {
    /// For each leaf, how many of its mappings are the only ones to their blocks.
    fileprivate func exclusive(_ leaves: [LeafSummary], _ counts: DataUseCounts) -> [UInt32] {
        guard counts.hasShared else { return leaves.map(\.count) }
        let (_, parts) = readLeaves({ [(leaf: Int, count: UInt32)]() }) { state, leaf, node, bytes in
            var own: UInt32 = 0
            for index in 0..<node.count
            where !counts.isShared(PackedMapping(node.value(index, in: bytes)).dataBlock) { own += 1 }
            state.append((leaf, own))
        }
        var exclusive = [UInt32](repeating: 0, count: leaves.count)
        for (leaf, count) in parts.joined() { exclusive[leaf] = count }
        return exclusive
    }

    /// How many blocks only the tree of a root has.
    ///
    /// - Parameter leaves: For each leaf, how many of its mappings are the only ones to their blocks.
    fileprivate func exclusive(_ block: UInt32, _ leaves: [UInt32], depth: Int = 0) -> UInt64 {
        // A node that two nodes refer to shares everything below it.
        guard uses[block] == 1, depth < 16 else { return 0 }
        switch self[block] {
        case .leaf(let place): return UInt64(leaves[place])
        case .node(let place):
            return internals[place].children.reduce(0) { $0 + exclusive($1, leaves, depth: depth + 1) }
        case .broken: return 0
        }
    }
}
