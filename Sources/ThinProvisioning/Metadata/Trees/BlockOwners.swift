internal import Synchronization

/// The leaves that refer to each data block: none, one, or several.
struct BlockOwners: Sendable {
    /// The leaves that refer to a block.
    enum Owner: Hashable {
        case none
        /// The place of the only leaf in ``MappingForest/leaves``.
        case leaf(Int)
        case several
    }

    private static let several: UInt32 = .max
    private static let partSize: UInt64 = 4096
    private var parts: [UInt64: [UInt32]] = [:]
    /// The numbers of the parts, in order, once all blocks are there.
    private var numbers: [UInt64] = []
    /// The first block behind all that are mapped.
    private(set) var end: UInt64 = 0

    mutating func add(_ mappings: [LeafMapping]) {
        var index = mappings.startIndex
        while index < mappings.endIndex {
            // Neighbours are mostly in one part.
            let number = mappings[index].block / Self.partSize
            var part = parts.removeValue(forKey: number) ?? [UInt32](repeating: 0, count: Int(Self.partSize))
            while index < mappings.endIndex, mappings[index].block / Self.partSize == number {
                let place = Int(mappings[index].block % Self.partSize)
                let leaf = mappings[index].leaf
                end = max(end, mappings[index].block + 1)
                switch part[place] {
                case 0: part[place] = leaf + 1
                default: part[place] = Self.several
                }
                index += 1
            }
            parts[number] = part
        }
    }

    /// Prepares for ``forEach(in:_:)``, after the last mapping was added.
    mutating func finish() {
        numbers = parts.keys.sorted()
    }

    /// Calls `body` with the blocks of a range in order, with runs of blocks that no leaf refers to in one call.
    ///
    /// It takes the time for what is mapped and not for the length of the range.
    func forEach(in range: Range<UInt64>, _ body: (Range<UInt64>, Owner) -> Void) {
        var block = range.lowerBound
        let first = numbers.partition { $0 >= block / Self.partSize }
        for number in numbers[first...] {
            guard number * Self.partSize < range.upperBound, let part = parts[number] else { break }
            let start = max(number * Self.partSize, block)
            if start > block { body(block..<start, .none) }
            block = min((number + 1) * Self.partSize, range.upperBound)
            for place in start..<block { body(place..<place + 1, Self.owner(part[Int(place % Self.partSize)])) }
        }
        if block < range.upperBound { body(block..<range.upperBound, .none) }
    }

    private static func owner(_ entry: UInt32) -> Owner {
        switch entry {
        case 0: .none
        case several: .several
        default: .leaf(Int(entry - 1))
        }
    }
}

extension [UInt64] {
    /// The place of the first element, of those in ascending order, that satisfies a condition.
    fileprivate func partition(_ isBehind: (UInt64) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// A mapping as far as it tells an owner.
struct LeafMapping: Sendable {
    let block: UInt64
    let leaf: UInt32
}

/// The owners of the blocks, for all threads that read leaves.
final class SharedOwners: Sendable {
    private let owners = Mutex(BlockOwners())

    /// Adds what a thread has collected, as soon as that is much.
    func add(_ mappings: inout [LeafMapping]) {
        guard mappings.count > 1 << 14 else { return }
        owners.withLock { $0.add(mappings) }
        mappings.removeAll(keepingCapacity: true)
    }

    /// All owners, with what the threads have left.
    func finish(_ rest: [[LeafMapping]]) -> BlockOwners {
        owners.withLock { owners in
            for mappings in rest { owners.add(mappings) }
            owners.finish()
            return owners
        }
    }
}
