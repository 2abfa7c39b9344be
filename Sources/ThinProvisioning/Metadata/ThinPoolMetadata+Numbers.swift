extension ThinPoolMetadata {
    /// Whether the pool has a thin device with one of `count` numbers, from `first` on and around the end.
    ///
    /// It costs one path through the tree of devices, or two around the end.
    ///
    /// - Throws: ``ThinMetadataError``.
    public func hasDevice(from first: ThinDeviceID, count: UInt32) throws(ThinMetadataError) -> Bool {
        guard count > 0 else { return false }
        let last = UInt64(first.value) + UInt64(count - 1)
        let limit = UInt64(ThinDeviceID.maximum.value)
        if let highest = try deviceTree.highestKey(notAbove: min(last, limit)), highest >= UInt64(first.value) {
            return true
        }
        // The number behind the largest is 1.
        guard last > limit else { return false }
        return try deviceTree.highestKey(notAbove: last - limit).map { $0 >= 1 } ?? false
    }

    private var deviceTree: BTree {
        BTree(
            blocks: blocks, root: superblock.details, valueSize: DeviceDetailsLayout.size,
            keyLimit: UInt64(ThinDeviceID.maximum.value) + 1)
    }
}
