/// How many blocks a thin device shares, and with which devices.
public struct ThinDeviceSharing: Hashable, Sendable {
    /// How many blocks are mapped.
    public let mapped: UInt64
    /// How many of them no other device has: the deletion of the device frees these.
    public let exclusive: UInt64
    /// How many of them each other device has, without devices that have none.
    public let others: [ThinDeviceID: UInt64]

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(mapped: UInt64, exclusive: UInt64, others: [ThinDeviceID: UInt64] = [:]) {
        self.mapped = mapped
        self.exclusive = exclusive
        self.others = others
    }

    /// How many of them at least one other device has.
    public var shared: UInt64 { mapped - min(exclusive, mapped) }
}

extension ThinPoolMetadata {
    /// How many data blocks a thin device shares with the other devices.
    ///
    /// Every leaf is read once, and the leaves of the device are read twice.
    ///
    /// - Throws: ``ThinMetadataError``, with the code `noSuchDevice` among others.
    public func sharing(of id: ThinDeviceID) throws -> ThinDeviceSharing {
        var own = BlockSet()
        var mapped: UInt64 = 0
        try mappings(of: id) { run in
            mapped += UInt64(run.thinBlocks.count)
            for block in run.dataBlock..<run.dataBlock + UInt64(run.thinBlocks.count) { own.insert(block) }
        }
        let wanted = own
        let trees = try deviceTrees()
        let forest = MappingForest(trees.map(\.root), of: blocks, uses: BlockUses(below: blocks.bound))
        let (leaves, parts) = forest.readLeaves({ [Int: [UInt64]]() }) { found, leaf, node, bytes in
            let hits = (0..<node.count).map { PackedMapping(node.value($0, in: bytes)).dataBlock }
                .filter(wanted.contains)
            if !hits.isEmpty { found[leaf] = hits }
        }
        if let place = leaves.firstIndex(where: { $0.fault.map { !$0.isHarmless } ?? false }) {
            throw ThinMetadataError(
                .inconsistent, block: UInt64(forest.leaves[place]), leaves[place].fault?.text ?? "it cannot be read")
        }
        var found = [[UInt64]](repeating: [], count: forest.leaves.count)
        for (leaf, hits) in parts.joined() { found[leaf] = hits }
        var others: [ThinDeviceID: UInt64] = [:]
        for tree in trees where tree.details.id != id {
            var count: UInt64 = 0
            try forest.forEachLeaf(of: tree.root) { leaf in
                count += UInt64(found[leaf].count)
                for block in found[leaf] { own.remove(block) }
            }
            if count > 0 { others[tree.details.id] = count }
        }
        return ThinDeviceSharing(mapped: mapped, exclusive: own.count, others: others)
    }
}

/// A set of data blocks, which mostly lie close to each other.
private struct BlockSet: Sendable {
    private var words: [UInt64: UInt64] = [:]

    var count: UInt64 { words.values.reduce(0) { $0 + UInt64($1.nonzeroBitCount) } }

    mutating func insert(_ block: UInt64) { words[block / 64, default: 0] |= 1 << (block % 64) }

    mutating func remove(_ block: UInt64) { words[block / 64]? &= ~(1 << (block % 64)) }

    func contains(_ block: UInt64) -> Bool { words[block / 64].map { $0 >> (block % 64) & 1 == 1 } ?? false }
}
