extension ThinPoolMetadata {
    /// Calls `body` with the mappings of a thin device whose data blocks nothing else in the pool refers to, in the order of
    /// its blocks: its deletion frees these blocks.
    ///
    /// Snapshots share whole parts of their trees. A node that is referred to more than once is shared with all that is
    /// below it, and is not read at all; so this takes the time for what is exclusive and not for what is mapped. A snapshot
    /// of the metadata that the pool holds (`reserve_metadata_snap`) keeps every block that it refers to, so none of these
    /// is exclusive; only what was written since can be.
    ///
    /// If the pool is active the answer is a hint, as everything here. It can be used for what is harmless when it is wrong,
    /// such as choosing what to discard through the thin device itself.
    ///
    /// - Throws: ``ThinMetadataError``, with the codes `noSuchDevice` and `noReferenceCounts` among others, and what `body`
    ///   throws.
    public func exclusiveRanges(of id: ThinDeviceID, _ body: (ThinMapping) throws -> Void) throws {
        var nodeCounts = try ReferenceCounts(.metadata, superblock.metadataCounts, from: blocks)
        var dataCounts = try ReferenceCounts(.data, superblock.dataCounts, from: blocks)
        func isExclusive(_ node: UInt64) throws(ThinMetadataError) -> Bool {
            switch try nodeCounts.count(of: node) {
            case .one: return true
            case .several: return false
            case .free: throw ThinMetadataError(.inconsistent, block: node, "it is in use and counts as free")
            }
        }
        // A held snapshot shares the tree of all devices from its root on. The counts of what is below a shared node say
        // nothing of that: they count the node once.
        var isShared = false
        let tree = try mappingTree(of: id) { node throws(ThinMetadataError) in
            if try !isExclusive(node) { isShared = true }
        }
        if isShared { return }
        var runs = MappingRuns()
        let limit = superblock.dataUsage?.total ?? 0
        try tree.forEachLeaf(where: isExclusive) { leaf in
            for index in 0..<leaf.count {
                let (dataBlock, time) = try Self.mapping(leaf, index, below: limit)
                switch try dataCounts.count(of: dataBlock) {
                case .one:
                    if let run = runs.append(leaf.key(index), to: dataBlock, time: time) { try body(run) }
                case .several: continue
                case .free:
                    throw ThinMetadataError(
                        .inconsistent, block: leaf.block.number, "data block \(dataBlock) is in use and counts as free")
                }
            }
        }
        if let run = runs.finish() { try body(run) }
    }

    /// How many data blocks of a thin device nothing else in the pool refers to: what its deletion frees.
    ///
    /// - Throws: As ``exclusiveRanges(of:_:)``.
    public func exclusiveBlocks(of id: ThinDeviceID) throws -> UInt64 {
        var count: UInt64 = 0
        try exclusiveRanges(of: id) { count += UInt64($0.thinBlocks.count) }
        return count
    }
}
