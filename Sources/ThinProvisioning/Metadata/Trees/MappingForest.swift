/// The trees of the mappings of a pool's thin devices: their internal nodes, and where their leaves are.
///
/// Thin devices share nodes. Every internal node is read once, level by level and in the order of the disk; a leaf is only
/// read to find out how high the tree of a root is. The leaves can then be read in the order of the disk too.
struct MappingForest: Sendable {
    /// A node with other nodes below it.
    struct InternalNode: Sendable {
        let block: UInt32
        let keys: [UInt64]
        /// The blocks of the nodes below it; `UInt32.max` stands for a block behind the end.
        let children: [UInt32]
    }

    let blocks: MetadataBlocks
    private(set) var internals: [InternalNode] = []
    /// The blocks of the leaves, in order.
    private(set) var leaves: [UInt32] = []
    /// The faults of internal nodes; the leaves are read later.
    private(set) var faults: [UInt32: NodeFault] = [:]
    /// How often each block is used.
    private(set) var uses: BlockUses
    private var heights: BlockTable<UInt8>
    /// The place of an internal node in ``internals`` or of a leaf in ``leaves``.
    private var places: BlockTable<UInt32>

    private static let unknown: UInt8 = .max
    private static let broken: UInt8 = .max - 1
    private static let highest: UInt8 = 15

    /// The role of a block in the trees.
    enum Place {
        case leaf(Int)
        case node(Int)
        /// It cannot be used.
        case broken
    }

    /// Finds the nodes of some trees.
    ///
    /// - Parameters:
    ///   - roots: The roots, as often as something refers to them.
    ///   - uses: The uses so far, which are counted on.
    init(_ roots: some Sequence<UInt64>, of blocks: MetadataBlocks, uses: BlockUses) {
        self.blocks = blocks
        self.uses = uses
        heights = BlockTable(repeating: Self.unknown, count: uses.counts.count)
        places = BlockTable(repeating: 0, count: uses.counts.count)
        var levels = [[UInt32]](repeating: [], count: Int(Self.highest) + 1)
        for root in roots {
            guard self.uses.add(root) != nil else { continue }
            _ = probe(UInt32(root), depth: 0, &levels)
        }
        for height in stride(from: Int(Self.highest), to: 0, by: -1) { spread(height, &levels) }
        leaves.sort()
        for (place, leaf) in leaves.enumerated() { places[Int(leaf)] = UInt32(place) }
    }

    /// The role of a block.
    subscript(block: UInt32) -> Place {
        guard Int(block) < heights.count, heights[Int(block)] < Self.broken, faults[block] == nil else {
            return .broken
        }
        let place = Int(places[Int(block)])
        return heights[Int(block)] == 0 ? .leaf(place) : .node(place)
    }

    /// Finds out how high a node is, by the first good way down from it.
    private mutating func probe(_ block: UInt32, depth: Int, _ levels: inout [[UInt32]]) -> UInt8? {
        let known = heights[Int(block)]
        guard known == Self.unknown else { return known < Self.broken ? known : nil }
        heights[Int(block)] = Self.broken
        let buffer = PageBuffer(blocks: 1)
        let isRead = buffer.fill(1, from: UInt64(block), of: blocks.source) == 1
        guard let isLeaf = buffer.with(block: 0, { store(block, isRead ? $0 : RawSpan()) }) else { return nil }
        if isLeaf {
            heights[Int(block)] = 0
            leaves.append(block)
            return 0
        }
        let place = internals.count - 1
        for child in internals[place].children where child != .max && depth < Self.highest {
            guard let below = probe(child, depth: depth + 1, &levels) else { continue }
            guard below < Self.highest else { break }
            heights[Int(block)] = below + 1
            levels[Int(below) + 1].append(UInt32(place))
            return below + 1
        }
        faults[block] = .height
        return nil
    }

    /// Takes the bytes of a node that has not been read yet.
    ///
    /// - Returns: Whether it is a leaf; `nil` where it is no node.
    private mutating func store(_ block: UInt32, _ bytes: RawSpan) -> Bool? {
        let node: NodeHeader
        do throws(NodeFault) {
            node = try NodeHeader(bytes, block, leafValueSize: PackedMapping.size)
        } catch {
            faults[block] = error
            heights[Int(block)] = Self.broken
            return nil
        }
        if node.isLeaf { return true }
        var (keys, children): ([UInt64], [UInt32]) = ([], [])
        keys.reserveCapacity(node.count)
        children.reserveCapacity(node.count)
        for index in 0..<node.count {
            let child = node.value(index, in: bytes)
            keys.append(bytes.number(NodeLayout.key(index)))
            children.append(uses.add(child) == nil ? .max : UInt32(child))
        }
        places[Int(block)] = UInt32(internals.count)
        internals.append(InternalNode(block: block, keys: keys, children: children))
        return false
    }

    /// Goes from the nodes of a height to those below them.
    private mutating func spread(_ height: Int, _ levels: inout [[UInt32]]) {
        var unread: [UInt32] = []
        for place in levels[height] {
            for child in internals[Int(place)].children where child != .max {
                switch heights[Int(child)] {
                case Self.unknown:
                    heights[Int(child)] = UInt8(height - 1)
                    if height == 1 { leaves.append(child) } else { unread.append(child) }
                case Self.broken, UInt8(height - 1): continue
                default: faults[internals[Int(place)].block] = .height
                }
            }
        }
        levels[height] = []
        unread.sort()
        blocks.forEach(unread[...]) { place, bytes in
            let block = unread[place]
            switch store(block, bytes) {
            case false: levels[height - 1].append(places[Int(block)])
            case true:
                faults[block] = .height
                heights[Int(block)] = Self.broken
            default: break
            }
        }
    }
}
