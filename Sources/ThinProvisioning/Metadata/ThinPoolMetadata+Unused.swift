extension ThinPoolMetadata {
    /// Calls `body` with the runs of data blocks that no thin device has, in order.
    ///
    /// The pool may use any of them as soon as it goes on: while it is active this is a hint, unless the pool is suspended.
    ///
    /// - Throws: ``ThinMetadataError``, with the code `noReferenceCounts` among others, and what `body` throws.
    public func unusedDataBlocks(_ body: (Range<UInt64>) throws -> Void) throws {
        var counts = try ReferenceCounts(.data, superblock.dataCounts, from: blocks)
        let end = superblock.dataUsage?.total ?? 0
        var start: UInt64?
        for block in 0..<end {
            if case .free = try counts.count(of: block) {
                start = start ?? block
            } else if let first = start {
                start = nil
                try body(first..<block)
            }
        }
        if let first = start { try body(first..<end) }
    }

    /// Whether no thin device has a data block of this range.
    ///
    /// - Throws: ``ThinMetadataError``.
    public func isUnused(_ dataBlocks: Range<UInt64>) throws(ThinMetadataError) -> Bool {
        var counts = try ReferenceCounts(.data, superblock.dataCounts, from: blocks)
        for block in dataBlocks {
            guard case .free = try counts.count(of: block) else { return false }
        }
        return true
    }
}
