internal import DeviceMapper

/// The parts of a pool's metadata that a walk visits.
public struct ThinMetadataSelection: Sendable {
    /// The devices; `nil` stands for all.
    public var devices: Set<ThinDeviceID>?
    /// Whether the mappings of the devices are given.
    public var includesMappings: Bool
    /// Whether what several devices have in common is given once, as a shared part.
    public var namesSharedParts: Bool

    /// A selection; without arguments, nothing is left out.
    public init(devices: Set<ThinDeviceID>? = nil, includesMappings: Bool = true, namesSharedParts: Bool = true) {
        self.devices = devices
        self.includesMappings = includesMappings
        self.namesSharedParts = namesSharedParts
    }
}

/// A thin device and the root of its mappings.
struct DeviceTree: Sendable {
    let details: ThinDeviceDetails
    let root: UInt64
}

extension ThinPoolMetadata {
    /// The pool's description in the superblock.
    public var header: ThinMetadataHeader {
        ThinMetadataHeader(
            uuid: superblock.uuid, time: superblock.time, transactionID: superblock.transactionID,
            flags: superblock.flags, version: superblock.version,
            blockSectors: UInt32(truncatingIfNeeded: superblock.blockSize.count),
            dataBlocks: superblock.dataUsage?.total ?? 0)
    }

    /// Hands the whole content of the metadata to a visitor.
    ///
    /// A node that several devices have in common is read once for all of them if `selection` names shared parts.
    ///
    /// - Parameters:
    ///   - visitor: Gets the content.
    ///   - selection: The parts to visit.
    /// - Throws: ``ThinMetadataError``, and what the visitor throws.
    public func walk<Visitor: ThinMetadataVisitor>(
        into visitor: inout Visitor, _ selection: ThinMetadataSelection = ThinMetadataSelection()
    ) throws {
        let trees = try deviceTrees().filter { selection.devices?.contains($0.details.id) ?? true }
        try visitor.begin(header)
        if selection.includesMappings {
            try walk(trees, namesSharedParts: selection.namesSharedParts, into: &visitor)
        } else {
            for tree in trees {
                try visitor.beginDevice(tree.details)
                try visitor.endDevice()
            }
        }
        try visitor.end()
    }

    private func walk<Visitor: ThinMetadataVisitor>(
        _ trees: [DeviceTree], namesSharedParts: Bool, into visitor: inout Visitor
    ) throws {
        let forest = MappingForest(trees.map(\.root), of: blocks, uses: BlockUses(below: blocks.bound))
        let runs = namesSharedParts ? try SharedRuns(forest, roots: trees.map(\.root)) : nil
        if let runs {
            for leaf in forest.leaves.indices where runs.begins(leaf) && runs.isShared(leaf) {
                try visitor.beginShared(UInt64(forest.leaves[leaf]))
                try emit(Array(sequence(first: leaf, next: runs.next)), of: forest, into: &visitor)
                try visitor.endShared()
            }
        }
        for tree in trees {
            try visitor.beginDevice(tree.details)
            try walk(tree, forest, runs, into: &visitor)
            try visitor.endDevice()
        }
    }

    private func walk<Visitor: ThinMetadataVisitor>(
        _ tree: DeviceTree, _ forest: MappingForest, _ runs: SharedRuns?, into visitor: inout Visitor
    ) throws {
        var own: [Int] = []
        var isInShared = false
        try forest.forEachLeaf(of: tree.root) { leaf in
            if let runs, runs.begins(leaf) {
                isInShared = runs.isShared(leaf)
                if isInShared {
                    try emit(own, of: forest, into: &visitor)
                    own.removeAll(keepingCapacity: true)
                    try visitor.reference(to: UInt64(forest.leaves[leaf]))
                }
            }
            if !isInShared { own.append(leaf) }
        }
        try emit(own, of: forest, into: &visitor)
    }

    /// Gives the mappings of some leaves, put together to runs.
    private func emit<Visitor: ThinMetadataVisitor>(
        _ leaves: [Int], of forest: MappingForest, into visitor: inout Visitor
    ) throws {
        guard !leaves.isEmpty else { return }
        let numbers = leaves.map { forest.leaves[$0] }
        var runs = MappingRuns()
        try blocks.forEach(numbers[...]) { place, bytes in
            let node: NodeHeader
            do throws(NodeFault) {
                node = try NodeHeader(bytes, numbers[place], leafValueSize: PackedMapping.size)
                guard node.isLeaf else { throw .height }
            } catch {
                throw ThinMetadataError(.inconsistent, block: UInt64(numbers[place]), error.text)
            }
            for index in 0..<node.count {
                let mapping = PackedMapping(node.value(index, in: bytes))
                let key = bytes.number(NodeLayout.key(index))
                if let run = runs.append(key, to: mapping.dataBlock, time: mapping.time) { try visitor.map(run) }
            }
        }
        if let run = runs.finish() { try visitor.map(run) }
    }

    /// The thin devices with the roots of their mappings, in the order of their numbers.
    func deviceTrees() throws(ThinMetadataError) -> [DeviceTree] {
        var details: [UInt64: ThinDeviceDetails] = [:]
        let uses = BlockUses(below: blocks.bound)
        var devices = SmallTree(blocks, valueSize: DeviceDetailsLayout.size, uses: uses)
        devices.read(superblock.details) { key, bytes, place in
            guard let id = ThinDeviceID(key) else { return }
            details[key] = ThinDeviceDetails(id, bytes, at: place)
        }
        var roots: [(id: UInt64, root: UInt64)] = []
        var mappings = SmallTree(blocks, valueSize: NodeLayout.childSize, uses: uses)
        mappings.read(superblock.mappings) { key, bytes, place in
            roots.append((key, bytes.number(MetadataField<UInt64>(place))))
        }
        if let fault = (devices.faults + mappings.faults).first(where: { !$0.fault.isHarmless }) {
            throw ThinMetadataError(.inconsistent, block: fault.block, fault.fault.text)
        }
        guard roots.count == details.count else {
            throw ThinMetadataError(
                .inconsistent, "\(details.count) devices are described, and \(roots.count) have mappings")
        }
        var trees: [DeviceTree] = []
        for (id, root) in roots {
            guard let details = details[id] else {
                throw ThinMetadataError(.inconsistent, "device \(id) has mappings and is not described")
            }
            trees.append(DeviceTree(details: details, root: root))
        }
        return trees
    }
}
