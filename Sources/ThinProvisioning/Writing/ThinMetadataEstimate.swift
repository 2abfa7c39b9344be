/// How much metadata a pool needs.
public enum ThinMetadataEstimate {
    /// An estimate for a pool whose blocks are all mapped once, by nodes that are half full, with a root for each device.
    ///
    /// - Parameters:
    ///   - dataBlocks: How many blocks the data device has.
    ///   - devices: How many thin devices there will be.
    /// - Returns: Bytes; the most that a pool can have if more were needed.
    public static func bytes(dataBlocks: UInt64, devices: UInt64) -> UInt64 {
        let entries = UInt64(PackedTree.capacity(ofSize: PackedMapping.size) / 2)
        let leaves = dataBlocks / entries + (dataBlocks % entries > 0 ? 1 : 0)
        let (blocks, overflow) = (1 + leaves).addingReportingOverflow(devices)
        return min(overflow ? .max : blocks, MetadataOutput.mostBlocks) * UInt64(BlockHeaderLayout.blockSize)
    }
}

extension ThinPoolMetadata {
    /// Whether the first block of a device has the mark of a pool's metadata, damaged or not.
    public static func hasMagic(_ block: [UInt8]) -> Bool {
        block.count == blockSize
            && MetadataBlock.number(SuperblockLayout.magic, in: block) == SuperblockLayout.magicNumber
    }
}
