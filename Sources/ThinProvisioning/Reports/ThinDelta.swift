/// A run of blocks in which two thin devices agree or differ in one way.
public struct ThinDelta: Hashable, Sendable {
    /// In which way two devices differ.
    public enum Kind: Hashable, Sendable {
        /// Only the first device has the blocks.
        case leftOnly
        /// Only the second device has the blocks.
        case rightOnly
        /// Both have the blocks, and not on the same data blocks.
        case different
        /// Both have the blocks on the same data blocks.
        case same
    }

    /// In which way the devices differ.
    public let kind: Kind
    /// The blocks of the devices.
    public let thinBlocks: Range<UInt64>
    /// The data block of the first device's first block, if it has the blocks.
    public let leftDataBlock: UInt64?
    /// The data block of the second device's first block, if it has the blocks.
    public let rightDataBlock: UInt64?

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(kind: Kind, thinBlocks: Range<UInt64>, leftDataBlock: UInt64? = nil, rightDataBlock: UInt64? = nil) {
        self.kind = kind
        self.thinBlocks = thinBlocks
        self.leftDataBlock = leftDataBlock
        self.rightDataBlock = rightDataBlock
    }
}

/// A tree of mappings that takes part in a comparison.
public enum ThinDeltaSide: Hashable, Sendable {
    /// A thin device.
    case device(ThinDeviceID)
    /// The tree with the root in a block of the metadata.
    case root(UInt64)
}

/// Puts differences together that follow each other.
struct DeltaRuns {
    private var run: ThinDelta?
    private let body: (ThinDelta) throws -> Void

    init(_ body: @escaping (ThinDelta) throws -> Void) {
        self.body = body
    }

    mutating func add(_ block: UInt64, left: UInt64?, right: UInt64?) throws {
        let kind: ThinDelta.Kind =
            right == nil ? .leftOnly : left == nil ? .rightOnly : left == right ? .same : .different
        if let run, run.kind == kind, run.thinBlocks.upperBound == block {
            self.run = ThinDelta(
                kind: kind, thinBlocks: run.thinBlocks.lowerBound..<block + 1, leftDataBlock: run.leftDataBlock,
                rightDataBlock: run.rightDataBlock)
            return
        }
        try finish()
        run = ThinDelta(kind: kind, thinBlocks: block..<block + 1, leftDataBlock: left, rightDataBlock: right)
    }

    mutating func finish() throws {
        guard let run else { return }
        self.run = nil
        try body(run)
    }
}
