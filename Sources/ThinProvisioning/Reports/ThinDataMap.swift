/// How the data blocks of a pool are used.
public struct ThinDataMap: Hashable, Sendable {
    /// A part of the data device.
    public struct Part: Hashable, Sendable {
        /// The data blocks.
        public let dataBlocks: Range<UInt64>
        /// How many of them several devices share.
        public internal(set) var shared: UInt64 = 0
        /// How many of them one device alone has, by device.
        public internal(set) var exclusive: [ThinDeviceID: UInt64] = [:]

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(dataBlocks: Range<UInt64>, shared: UInt64 = 0, exclusive: [ThinDeviceID: UInt64] = [:]) {
            self.dataBlocks = dataBlocks
            self.shared = shared
            self.exclusive = exclusive
        }

        /// How many of them no device has.
        public var free: UInt64 { UInt64(dataBlocks.count) - shared - exclusive.values.reduce(0, +) }
    }

    /// The blocks of a thin device.
    public struct Device: Hashable, Sendable {
        /// The number.
        public let id: ThinDeviceID
        /// How many blocks are mapped.
        public let mapped: UInt64
        /// How many data blocks no other device has; the deletion of the device frees them.
        public internal(set) var exclusive: UInt64
        /// In how many runs its blocks lie: a run continues in the device and on the data device.
        public let pieces: UInt64

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(id: ThinDeviceID, mapped: UInt64, exclusive: UInt64, pieces: UInt64) {
            self.id = id
            self.mapped = mapped
            self.exclusive = exclusive
            self.pieces = pieces
        }

        /// How many blocks the device shares with other devices.
        public var shared: UInt64 { mapped - min(exclusive, mapped) }
    }

    /// The parts, in the order of the data device.
    public internal(set) var parts: [Part]
    /// The devices, in the order of their numbers.
    public internal(set) var devices: [Device]
    /// How many data blocks there are.
    public let dataBlocks: UInt64
    /// How many data blocks several devices share; each is counted once.
    public internal(set) var shared: UInt64 = 0
    /// How many data blocks no device has.
    public internal(set) var free: UInt64 = 0
    /// In how many runs the free data blocks lie.
    public internal(set) var freeRuns: UInt64 = 0
    /// How many data blocks the longest of these runs has.
    public internal(set) var longestFreeRun: UInt64 = 0

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        parts: [Part], devices: [Device], dataBlocks: UInt64, shared: UInt64 = 0, free: UInt64 = 0,
        freeRuns: UInt64 = 0, longestFreeRun: UInt64 = 0
    ) {
        self.parts = parts
        self.devices = devices
        self.dataBlocks = dataBlocks
        self.shared = shared
        self.free = free
        self.freeRuns = freeRuns
        self.longestFreeRun = longestFreeRun
    }
}

extension ThinPoolMetadata {
    /// How the data blocks of the pool are used.
    ///
    /// The mappings themselves are counted, as in ``usage()``. Every leaf is read once.
    ///
    /// - Parameter parts: Into how many parts of equal size the data device is divided, at the most. A part has a whole
    ///   number of blocks, one at least.
    /// - Throws: ``ThinMetadataError``.
    public func dataMap(parts: Int) throws -> ThinDataMap {
        let trees = try deviceTrees()
        let forest = MappingForest(trees.map(\.root), of: blocks, uses: BlockUses(below: blocks.bound))
        let shared = SharedOwners()
        let (leaves, states) = forest.readLeaves({ (mappings: [LeafMapping](), runs: [Int: RunSummary]()) }) {
            state, leaf, node, bytes in
            var runs = RunSummary()
            for index in 0..<node.count {
                let block = PackedMapping(node.value(index, in: bytes)).dataBlock
                state.mappings.append(LeafMapping(block: block, leaf: UInt32(leaf)))
                runs.append(RunSummary(bytes.number(NodeLayout.key(index)), block))
            }
            state.runs[leaf] = runs
            shared.add(&state.mappings)
        }
        let owners = shared.finish(states.map(\.mappings))
        var summaries = MappingSummaries(forest, leaves)
        var pieces = RunSummaries(forest, states.map(\.runs))
        let leafOwners = forest.leafOwners(trees)
        var map = ThinDataMap(parts: [], devices: [], dataBlocks: try dataBlocks(atLeast: owners.end))
        map.devices = try trees.map { tree in
            let sum = summaries.subtree(of: tree.root)
            guard !sum.isBroken else {
                throw ThinMetadataError(.inconsistent, "the mappings of device \(tree.details.id) cannot be read")
            }
            return ThinDataMap.Device(
                id: tree.details.id, mapped: sum.mapped, exclusive: 0, pieces: pieces.subtree(of: tree.root).count)
        }
        map.count(owners, leafOwners, parts: max(1, parts))
        return map
    }

    /// The size of the data device in blocks; what is mapped behind it is an error.
    private func dataBlocks(atLeast end: UInt64) throws(ThinMetadataError) -> UInt64 {
        // A snapshot of the metadata does not have it, and the superblock beside it does.
        let live = isSnapshot ? try ThinPoolSuperblock(0, from: blocks.source) : superblock
        let total = live.dataUsage?.total ?? 0
        guard total <= Self.dataBlockLimit else {
            throw ThinMetadataError(.inconsistent, block: 0, "no data device has \(total) blocks")
        }
        guard end <= total else {
            throw ThinMetadataError(.inconsistent, "blocks behind the end of the data device are mapped")
        }
        return total
    }
}

extension ThinDataMap {
    /// - Parameter leafOwners: For each leaf, the place of the only device that has it in ``devices``.
    fileprivate mutating func count(_ owners: BlockOwners, _ leafOwners: [Int?], parts count: Int) {
        let size = max(1, (dataBlocks + UInt64(count) - 1) / UInt64(count))
        var freeRun: UInt64 = 0
        for start in stride(from: 0, to: dataBlocks, by: Int(size)) {
            var part = Part(dataBlocks: start..<min(start + size, dataBlocks))
            owners.forEach(in: part.dataBlocks) { blocks, owner in
                guard owner != .none else {
                    if freeRun == 0 { freeRuns += 1 }
                    freeRun += UInt64(blocks.count)
                    free += UInt64(blocks.count)
                    longestFreeRun = max(longestFreeRun, freeRun)
                    return
                }
                freeRun = 0
                guard case .leaf(let leaf) = owner, let device = leafOwners[leaf] else {
                    part.shared += 1
                    shared += 1
                    return
                }
                part.exclusive[devices[device].id, default: 0] += 1
                devices[device].exclusive += 1
            }
            parts.append(part)
        }
    }
}

extension MappingForest {
    /// For each leaf, the place of the only tree that has it; `nil` where several have it.
    fileprivate func leafOwners(_ trees: [DeviceTree]) -> [Int?] {
        var owners = [Int?](repeating: nil, count: leaves.count)
        for (place, tree) in trees.enumerated() { mark(UInt32(truncatingIfNeeded: tree.root), place, 0, &owners) }
        return owners
    }

    private func mark(_ block: UInt32, _ owner: Int, _ depth: Int, _ owners: inout [Int?]) {
        // A node that two nodes refer to shares everything below it.
        guard uses[block] == 1, depth < 16 else { return }
        switch self[block] {
        case .leaf(let place): owners[place] = owner
        case .node(let place):
            for child in internals[place].children { mark(child, owner, depth + 1, &owners) }
        case .broken: return
        }
    }
}

/// How many runs the mappings of a part of a tree have, and where the first begins and the last ends.
private struct RunSummary: Sendable {
    private(set) var count: UInt64 = 0
    private var first: (key: UInt64, block: UInt64) = (0, 0)
    private var last: (key: UInt64, block: UInt64) = (0, 0)

    init() {}

    /// A single mapping.
    init(_ key: UInt64, _ block: UInt64) {
        (count, first, last) = (1, (key, block), (key, block))
    }

    /// Adds the mappings that come next.
    mutating func append(_ next: RunSummary) {
        guard count > 0, next.count > 0 else {
            if next.count > 0 { self = next }
            return
        }
        let continues = next.first.key == last.key &+ 1 && next.first.block == last.block &+ 1
        count += next.count - (continues ? 1 : 0)
        last = next.last
    }
}

/// Sums up the runs below each node of the trees of mappings.
private struct RunSummaries {
    private let forest: MappingForest
    private var leaves: [RunSummary]
    private var known: [RunSummary?]

    init(_ forest: MappingForest, _ parts: [[Int: RunSummary]]) {
        self.forest = forest
        leaves = [RunSummary](repeating: RunSummary(), count: forest.leaves.count)
        known = [RunSummary?](repeating: nil, count: forest.internals.count)
        for (leaf, runs) in parts.joined() { leaves[leaf] = runs }
    }

    mutating func subtree(of root: UInt64) -> RunSummary {
        subtree(UInt32(truncatingIfNeeded: root), depth: 0)
    }

    private mutating func subtree(_ block: UInt32, depth: Int) -> RunSummary {
        switch forest[block] {
        case .leaf(let place): return leaves[place]
        case .node(let place):
            if let known = known[place] { return known }
            guard depth < 16 else { return RunSummary() }
            var sum = RunSummary()
            for child in forest.internals[place].children { sum.append(subtree(child, depth: depth + 1)) }
            known[place] = sum
            return sum
        case .broken: return RunSummary()
        }
    }
}
