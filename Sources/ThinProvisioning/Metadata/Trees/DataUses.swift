internal import Synchronization

/// How often mappings refer to each data block.
///
/// Memory is taken for the parts of the data device that are in use: a byte for a block.
struct DataUseCounts: Sendable {
    private var parts: [[UInt8]]
    private var large: [UInt64: UInt32] = [:]
    /// How many mappings lead behind the end.
    private(set) var behindTheEnd: UInt64 = 0
    /// Whether any block is mapped more than once.
    private(set) var hasShared = false
    private let limit: UInt64

    /// Counts for the blocks below `limit`, all 0.
    init(below limit: UInt64) {
        self.limit = limit
        parts = [[UInt8]](repeating: [], count: Int((limit + BitmapLayout.entries - 1) / BitmapLayout.entries))
    }

    mutating func add(_ blocks: [UInt64]) {
        var index = blocks.startIndex
        while index < blocks.endIndex {
            guard blocks[index] < limit else {
                behindTheEnd += 1
                index += 1
                continue
            }
            // Neighbours are mostly in one part.
            let range = partRange(of: blocks[index])
            let number = Int(range.lowerBound / BitmapLayout.entries)
            var part: [UInt8] = []
            swap(&part, &parts[number])
            if part.isEmpty { part = [UInt8](repeating: 0, count: Int(BitmapLayout.entries)) }
            while index < blocks.endIndex, range.contains(blocks[index]) {
                let place = Int(blocks[index] - range.lowerBound)
                if part[place] < .max {
                    part[place] += 1
                    if part[place] == 2 { hasShared = true }
                } else {
                    large[blocks[index], default: UInt32(UInt8.max)] += 1
                }
                index += 1
            }
            swap(&part, &parts[number])
        }
    }

    /// The counts of the blocks of a bitmap; empty where none is in use.
    func part(_ number: Int) -> [UInt8] { number < parts.count ? parts[number] : [] }

    /// The blocks of the part that has a block; none for one far behind the end.
    func partRange(of block: UInt64) -> Range<UInt64> {
        let first = block / BitmapLayout.entries * BitmapLayout.entries
        return first..<max(first, min(first + BitmapLayout.entries, limit))
    }

    /// How many parts there are.
    var partCount: Int { parts.count }

    /// Whether a block is mapped more than once.
    func isShared(_ block: UInt64) -> Bool {
        guard block < limit else { return false }
        let (part, place) = Int(block).quotientAndRemainder(dividingBy: Int(BitmapLayout.entries))
        return !parts[part].isEmpty && parts[part][place] > 1
    }

    /// A count that a part says to be the largest that it can hold.
    func largeCount(of block: UInt64) -> UInt32 { large[block] ?? UInt32(UInt8.max) }
}

/// The counts of all threads that read leaves.
final class DataUses: Sendable {
    private let counts: Mutex<DataUseCounts>

    init(below limit: UInt64) {
        counts = Mutex(DataUseCounts(below: limit))
    }

    /// Counts some blocks.
    func add(_ blocks: [UInt64]) { counts.withLock { $0.add(blocks) } }

    /// Counts what a thread has collected, as soon as that is much.
    func addIfMany(_ blocks: inout [UInt64]) {
        guard blocks.count > 1 << 14 else { return }
        add(blocks)
        blocks.removeAll(keepingCapacity: true)
    }

    /// The counts so far; none are left here.
    func take() -> DataUseCounts {
        counts.withLock { counts in
            defer { counts = DataUseCounts(below: 0) }
            return counts
        }
    }
}
