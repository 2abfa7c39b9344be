/// A run of data blocks that a thin device has, one behind the other in both.
public struct ThinDataOwner: Hashable, Sendable {
    /// The data blocks.
    public let dataBlocks: Range<UInt64>
    /// The thin device.
    public let device: ThinDeviceID
    /// The block of the device that the first of them is.
    public let thinBlock: UInt64

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(dataBlocks: Range<UInt64>, device: ThinDeviceID, thinBlock: UInt64) {
        self.dataBlocks = dataBlocks
        self.device = device
        self.thinBlock = thinBlock
    }
}

extension ThinPoolMetadata {
    /// Which devices have some data blocks, in the order of the data blocks and then of the devices.
    ///
    /// Every leaf is read once; those with a wanted block are read again for each device that has them.
    ///
    /// - Parameters:
    ///   - regions: The data blocks to look for.
    ///   - takesLeavesOnce: Whether a leaf that several devices have in common is only counted for the first of them, as
    ///     `thin_rmap` does.
    /// - Throws: ``ThinMetadataError``.
    public func owners(of regions: [Range<UInt64>], takesLeavesOnce: Bool = false) throws -> [ThinDataOwner] {
        let regions = regions.filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
        let trees = try deviceTrees()
        let forest = MappingForest(trees.map(\.root), of: blocks, uses: BlockUses(below: blocks.bound))
        let (leaves, wanted) = forest.readLeaves({ [Int]() }) { wanted, leaf, node, bytes in
            let hit = (0..<node.count).contains {
                regions.haveBlock(PackedMapping(node.value($0, in: bytes)).dataBlock)
            }
            if hit { wanted.append(leaf) }
        }
        if let place = leaves.firstIndex(where: { $0.fault.map { !$0.isHarmless } ?? false }) {
            throw ThinMetadataError(
                .inconsistent, block: UInt64(forest.leaves[place]), leaves[place].fault?.text ?? "it cannot be read")
        }
        var isWanted = [Bool](repeating: false, count: forest.leaves.count)
        for leaf in wanted.joined() { isWanted[leaf] = true }
        var owners: [ThinDataOwner] = []
        for tree in trees {
            var numbers: [UInt32] = []
            try forest.forEachLeaf(of: tree.root) { leaf in
                guard isWanted[leaf] else { return }
                numbers.append(forest.leaves[leaf])
                if takesLeavesOnce { isWanted[leaf] = false }
            }
            try addOwners(tree.details.id, numbers, regions, to: &owners)
        }
        return owners.sorted(by: Self.isBefore)
    }

    private static func isBefore(_ left: ThinDataOwner, _ right: ThinDataOwner) -> Bool {
        let first = (left.dataBlocks.lowerBound, left.dataBlocks.upperBound, left.device.value, left.thinBlock)
        return first < (right.dataBlocks.lowerBound, right.dataBlocks.upperBound, right.device.value, right.thinBlock)
    }

    private func addOwners(
        _ device: ThinDeviceID, _ leaves: [UInt32], _ regions: [Range<UInt64>], to owners: inout [ThinDataOwner]
    ) throws {
        var runs = MappingRuns()
        func add(_ run: ThinMapping) {
            owners.append(
                ThinDataOwner(
                    dataBlocks: run.dataBlock..<run.dataBlock + UInt64(run.thinBlocks.count), device: device,
                    thinBlock: run.thinBlocks.lowerBound))
        }
        try blocks.forEach(leaves[...]) { place, bytes in
            let node: NodeHeader
            do throws(NodeFault) {
                node = try NodeHeader(bytes, leaves[place], leafValueSize: PackedMapping.size)
            } catch {
                throw ThinMetadataError(.inconsistent, block: UInt64(leaves[place]), error.text)
            }
            for index in 0..<node.count {
                let block = PackedMapping(node.value(index, in: bytes)).dataBlock
                guard regions.haveBlock(block) else { continue }
                // The time does not part a run here.
                let run = runs.append(bytes.number(NodeLayout.key(index)), to: block, time: 0)
                if let run { add(run) }
            }
        }
        if let run = runs.finish() { add(run) }
    }
}

extension [Range<UInt64>] {
    /// Whether one of the ranges, which are in the order of their beginnings, has a block.
    fileprivate func haveBlock(_ block: UInt64) -> Bool {
        for range in self {
            if block < range.lowerBound { return false }
            if block < range.upperBound { return true }
        }
        return false
    }
}
