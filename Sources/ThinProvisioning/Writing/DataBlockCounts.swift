/// How often leaves refer to each data block, while metadata is written.
///
/// A byte for each block, in parts that exist once one of their blocks is used; larger counts are in a table.
struct DataBlockCounts {
    private static let partSize = BitmapLayout.entries
    private static let escape = UInt8.max

    /// How many data blocks there are.
    let blocks: UInt64
    private var parts: [[UInt8]]
    private var large: [UInt64: UInt32] = [:]

    init(blocks: UInt64) {
        self.blocks = blocks
        parts = Array(repeating: [], count: Int((blocks + Self.partSize - 1) / Self.partSize))
    }

    /// How many bitmaps the counts take.
    var partCount: Int { parts.count }

    /// Counts one reference more to each block of a range, which lies on the data device.
    mutating func add(_ range: Range<UInt64>) {
        var start = range.lowerBound
        while start < range.upperBound {
            let part = Int(start / Self.partSize)
            let first = UInt64(part) * Self.partSize
            let end = min(range.upperBound, first + Self.partSize)
            if parts[part].isEmpty { parts[part] = [UInt8](repeating: 0, count: Int(Self.partSize)) }
            for index in Int(start - first)..<Int(end - first) {
                let count = parts[part][index]
                if count < Self.escape - 1 {
                    parts[part][index] = count + 1
                } else {
                    addLarge(first + UInt64(index), part, index)
                }
            }
            start = end
        }
    }

    private mutating func addLarge(_ block: UInt64, _ part: Int, _ index: Int) {
        let count = large[block] ?? UInt32(Self.escape - 1)
        large[block] = count == .max ? count : count + 1
        parts[part][index] = Self.escape
    }

    /// Counts one reference less.
    mutating func remove(_ block: UInt64) {
        let (part, index) = (Int(block / Self.partSize), Int(block % Self.partSize))
        guard !parts[part].isEmpty else { return }
        if let count = large[block] {
            large[block] = count - 1
        } else if parts[part][index] > 0 {
            parts[part][index] -= 1
        }
    }

    /// Calls `body` with the counts of the blocks of one bitmap that are not zero.
    func forEach(inPart part: Int, _ body: (_ index: Int, _ count: UInt32) throws -> Void) rethrows {
        for (index, count) in parts[part].enumerated() where count > 0 {
            guard count == Self.escape else {
                try body(index, UInt32(count))
                continue
            }
            let exact = large[UInt64(part) * Self.partSize + UInt64(index)] ?? UInt32(count)
            if exact > 0 { try body(index, exact) }
        }
    }
}
