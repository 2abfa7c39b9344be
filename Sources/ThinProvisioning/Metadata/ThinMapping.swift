/// A run of blocks of a thin device that lie one behind the other on the data device as well.
public struct ThinMapping: Hashable, Sendable {
    /// The blocks of the thin device.
    public let thinBlocks: Range<UInt64>
    /// The block of the data device that the first of them is on.
    public let dataBlock: UInt64
    /// The pool's time when they were written; see ``ThinPoolSuperblock/time``.
    public let time: UInt32

    /// A run of mappings.
    public init(thinBlocks: Range<UInt64>, dataBlock: UInt64, time: UInt32) {
        self.thinBlocks = thinBlocks
        self.dataBlock = dataBlock
        self.time = time
    }
}

/// Puts mappings together that follow each other.
struct MappingRuns {
    private var first: UInt64 = 0
    private var dataBlock: UInt64 = 0
    private var time: UInt32 = 0
    private var length: UInt64 = 0

    /// Takes one more mapping.
    ///
    /// - Returns: The run before it, if the mapping does not continue that.
    mutating func append(_ block: UInt64, to dataBlock: UInt64, time: UInt32) -> ThinMapping? {
        if length > 0, block == first + length, dataBlock == self.dataBlock + length, time == self.time {
            length += 1
            return nil
        }
        let run = finish()
        (first, self.dataBlock, self.time, length) = (block, dataBlock, time, 1)
        return run
    }

    /// The last run, if there was any.
    mutating func finish() -> ThinMapping? {
        defer { length = 0 }
        return length > 0 ? ThinMapping(thinBlocks: first..<first + length, dataBlock: dataBlock, time: time) : nil
    }
}
