/// How often each block of the metadata is referred to.
struct BlockUses: Sendable {
    private(set) var counts: BlockTable<UInt32>

    /// Counts for the blocks below `bound`, all 0.
    init(below bound: Int) {
        counts = BlockTable(repeating: 0, count: bound)
    }

    /// Counts one more use.
    ///
    /// - Returns: Whether it is the first; `nil` for a block behind the end.
    mutating func add(_ block: UInt64) -> Bool? {
        guard block < UInt64(counts.count) else { return nil }
        let index = Int(block)
        let count = counts[index]
        if count < .max { counts[index] = count + 1 }
        return count == 0
    }

    /// The uses of a block.
    subscript(block: UInt32) -> UInt32 { Int(block) < counts.count ? counts[Int(block)] : 0 }
}

/// A block of a tree that is not what it should be.
struct TreeFault: Hashable, Sendable {
    let block: UInt64
    let fault: NodeFault
}
