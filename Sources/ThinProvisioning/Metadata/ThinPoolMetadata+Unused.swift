extension ThinPoolMetadata {
    /// Calls `body` with the runs of data blocks that no thin device has, in order.
    ///
    /// The pool may use any of them as soon as it goes on: while it is active this is a hint, unless the pool is suspended.
    ///
    /// - Parameters:
    ///   - range: The data blocks to look at, by default all of them.
    ///   - body: Gets each run of unused data blocks, in rising order.
    /// - Throws: ``ThinMetadataError``, with the code `noReferenceCounts` among others, and what `body` throws.
    public func unusedDataBlocks(in range: Range<UInt64>? = nil, _ body: (Range<UInt64>) throws -> Void) throws {
        var counts = try ReferenceCounts(.data, superblock.dataCounts, from: blocks)
        let all = 0..<(superblock.dataUsage?.total ?? 0)
        let range = range?.clamped(to: all) ?? all
        var start: UInt64?
        for block in range {
            if case .free = try counts.count(of: block) {
                start = start ?? block
            } else if let first = start {
                start = nil
                try body(first..<block)
            }
        }
        if let first = start { try body(first..<range.upperBound) }
    }
}
