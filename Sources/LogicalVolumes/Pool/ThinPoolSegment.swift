public import DeviceMapper

/// The fields of a thin pool in the group's text.
public struct ThinPoolSegment: Hashable, Sendable {
    /// The logical volume of its metadata.
    public let metadata: String
    /// The logical volume of its data.
    public let data: String
    /// The transaction id that lvm2 expects of the pool.
    public let transactionID: UInt64
    /// The length of a block.
    public let blockSize: Sectors
    /// Whether the kernel fills a new block with zeros first.
    public var zeroesNewBlocks: Bool
    /// The handling of discards: empty where they are passed down to the data device, otherwise
    /// ``ThinPoolTarget/Features/noDiscardPassdown`` or ``ThinPoolTarget/Features/ignoreDiscard``.
    public let discards: ThinPoolTarget.Features
    /// Whether lvm2 has messages for the pool that it has not sent yet: it was interrupted.
    public let hasMessages: Bool

    /// The features of its table, but for those that flags of the logical volume stand for.
    public var features: ThinPoolTarget.Features {
        zeroesNewBlocks ? discards : discards.union(.skipBlockZeroing)
    }

    init(_ section: ConfigurationSection) throws(LogicalVolumeError) {
        metadata = try section.string("metadata")
        data = try section.string("pool")
        transactionID = try section.number("transaction_id")
        let blockSize = try section.number("chunk_size")
        guard (128...2_097_152).contains(blockSize), blockSize.isMultiple(of: 128) else {
            throw section.error("chunk_size", "no thin pool has blocks of \(blockSize) sectors")
        }
        self.blockSize = Sectors(blockSize)
        zeroesNewBlocks = try section.number("zero_new_blocks", default: 0) != 0
        discards =
            switch try section.stringIfPresent("discards") {
            case "passdown"?: []
            case "nopassdown"?: .noDiscardPassdown
            // Texts from before the option existed do not have it, and lvm2 then ignores discards, as it did at that time.
            case nil, "ignore"?: .ignoreDiscard
            case let other?: throw section.error("discards", "it is “\(other)”")
            }
        hasMessages = try !section.sections().isEmpty
    }
}
