internal import Synchronization

/// The data blocks that one device maps more than once.
///
/// The kernel never makes such mappings. Their reference counts can be right all the same, because devices share blocks. Devices
/// share a block at the same thin block, so only a block that is mapped at several thin blocks can be mapped twice by one device.
/// Such blocks are few; the search looks within each device for these only. It is bounded in memory and in time, so in metadata
/// that is damaged throughout it does not find all of them.
struct DoubleMappings {
    /// A data block that a device maps more than once.
    struct Block: Hashable {
        let device: ThinDeviceID
        let number: UInt64
        /// Whether the kernel would change it in its place, and not copy it as a block from before the device's last snapshot.
        let isWritable: Bool
    }

    /// The places of a block in a leaf.
    private struct Places: Sendable {
        var count: UInt32
        var latest: UInt32
    }

    /// How many blocks at several thin blocks the search looks for.
    private static let most = 4096
    /// How many places of such blocks one thread keeps.
    private static let mostPlaces = 1 << 20
    /// How many leaves with such blocks the search visits, for all devices together.
    private static let mostVisits = 1 << 22

    private let forest: MappingForest
    /// For each leaf with blocks at several thin blocks, the places of these.
    private var places: [Int: [UInt64: Places]] = [:]
    /// Whether an internal node has such leaves below it.
    private var hasPlaces: [Bool?]
    /// The blocks that a tree maps more than once, by its root, because devices share whole trees.
    private var doublesOfRoots: [UInt32: [UInt64: Places]] = [:]
    private var visits = 0

    /// Looks for blocks at several thin blocks.
    ///
    /// - Parameter counts: How often each block is mapped. If none is mapped twice, nothing is read.
    init(_ forest: MappingForest, _ counts: DataUseCounts) {
        self.forest = forest
        hasPlaces = [Bool?](repeating: nil, count: forest.internals.count)
        guard counts.hasShared else { return }
        let blocks = Self.blocksAtSeveralPlaces(forest, counts)
        guard !blocks.isEmpty else { return }
        let (_, found) = forest.readLeaves({ (leaves: [Int: [UInt64: Places]](), count: 0) }) {
            state, place, node, bytes in
            guard state.count < Self.mostPlaces else { return }
            var leaf: [UInt64: Places] = [:]
            for index in 0..<node.count {
                let mapping = PackedMapping(node.value(index, in: bytes))
                guard blocks.contains(mapping.dataBlock) else { continue }
                let known = leaf[mapping.dataBlock] ?? Places(count: 0, latest: 0)
                leaf[mapping.dataBlock] = Places(count: known.count + 1, latest: max(known.latest, mapping.time))
            }
            guard !leaf.isEmpty else { return }
            state.leaves[place] = leaf
            state.count += leaf.count
        }
        for part in found { places.merge(part.leaves) { first, _ in first } }
    }

    /// The blocks that are mapped at more than one thin block, whatever the devices.
    private static func blocksAtSeveralPlaces(_ forest: MappingForest, _ counts: DataUseCounts) -> Set<UInt64> {
        let table = ThinPlaces(counts, most: most)
        let (_, rest) = forest.readLeaves([(block: UInt64, thin: UInt64)].init) { state, _, node, bytes in
            var (range, part): (Range<UInt64>, [UInt8]) = (0..<0, [])
            for index in 0..<node.count {
                let block = PackedMapping(node.value(index, in: bytes)).dataBlock
                if !range.contains(block) {
                    range = counts.partRange(of: block)
                    part = range.contains(block) ? counts.part(Int(block / BitmapLayout.entries)) : []
                }
                // The leaf may have changed since the blocks were counted.
                guard range.contains(block), !part.isEmpty, part[Int(block - range.lowerBound)] > 1 else { continue }
                state.append((block, bytes.number(NodeLayout.key(index))))
            }
            if state.count > 1 << 14 {
                table.add(state)
                state.removeAll(keepingCapacity: true)
            }
        }
        for part in rest { table.add(part) }
        return table.several
    }

    /// The blocks that a device maps more than once, in order.
    ///
    /// - Parameter root: The root of a tree in which nothing is wrong, so that it has no node twice.
    mutating func doubles(of device: ThinDeviceDetails, _ root: UInt64) -> [Block] {
        guard !places.isEmpty, let root = UInt32(exactly: root) else { return [] }
        return doubles(below: root).sorted { $0.key < $1.key }.map { block, places in
            Block(device: device.id, number: block, isWritable: places.latest >= device.snapshottedTime)
        }
    }

    private mutating func doubles(below root: UInt32) -> [UInt64: Places] {
        if let known = doublesOfRoots[root] { return known }
        var sums: [UInt64: Places] = [:]
        visit(root, depth: 0, &sums)
        let doubles = sums.filter { $0.value.count > 1 }
        doublesOfRoots[root] = doubles
        return doubles
    }

    private mutating func visit(_ block: UInt32, depth: Int, _ sums: inout [UInt64: Places]) {
        guard depth < 16, mayHavePlaces(block) else { return }
        switch forest[block] {
        case .leaf(let place):
            guard visits < Self.mostVisits else { return }
            visits += 1
            sums.merge(places[place] ?? [:]) { first, second in
                Places(count: first.count + second.count, latest: max(first.latest, second.latest))
            }
        case .node(let place):
            for child in forest.internals[place].children { visit(child, depth: depth + 1, &sums) }
        case .broken: break
        }
    }

    private mutating func mayHavePlaces(_ block: UInt32) -> Bool {
        switch forest[block] {
        case .leaf(let place): return places[place] != nil
        case .node(let place):
            if let known = hasPlaces[place] { return known }
            // A node below itself is met again before it is known.
            hasPlaces[place] = false
            var result = false
            for child in forest.internals[place].children where mayHavePlaces(child) { result = true }
            hasPlaces[place] = result
            return result
        case .broken: return false
        }
    }
}

/// Where each shared data block was first seen, for all threads that read leaves.
///
/// Of a thin block, 31 bits are kept, which is every bit on devices of up to 128 TiB.
private final class ThinPlaces: Sendable {
    private struct Content {
        var parts: [[UInt32]]
        var several: Set<UInt64> = []
    }

    private static let isKnown: UInt32 = 1 << 31
    private let most: Int
    private let content: Mutex<Content>

    init(_ counts: DataUseCounts, most: Int) {
        self.most = most
        content = Mutex(Content(parts: [[UInt32]](repeating: [], count: counts.partCount)))
    }

    /// The blocks that were seen at several thin blocks; not more than there is room for.
    var several: Set<UInt64> { content.withLock { $0.several } }

    func add(_ found: [(block: UInt64, thin: UInt64)]) {
        content.withLock { content in
            var (number, part): (Int, [UInt32]) = (0, [])
            swap(&part, &content.parts[number])
            for (block, thin) in found {
                let first = UInt64(number) * BitmapLayout.entries
                if block < first || block >= first + BitmapLayout.entries {
                    swap(&part, &content.parts[number])
                    number = Int(block / BitmapLayout.entries)
                    swap(&part, &content.parts[number])
                }
                if part.isEmpty { part = [UInt32](repeating: 0, count: Int(BitmapLayout.entries)) }
                let place = Int(block % BitmapLayout.entries)
                let own = UInt32(truncatingIfNeeded: thin) | Self.isKnown
                switch part[place] {
                case 0: part[place] = own
                case own: break
                default: if content.several.count < most { content.several.insert(block) }
                }
            }
            swap(&part, &content.parts[number])
        }
    }
}
