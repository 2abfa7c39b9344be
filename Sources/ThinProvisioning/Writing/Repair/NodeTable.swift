/// The sums of a subtree, or of a single node.
struct NodeSummary {
    /// The lowest and the highest key; `nil` in an empty leaf.
    var keys: ClosedRange<UInt64>?
    /// How many thin devices, in a tree of devices or of details.
    var devices: UInt64 = 0
    /// How many mappings there are, or are said to be in a tree of details.
    var mappings: UInt64 = 0
    /// The latest time.
    var time: UInt32 = 0
    /// How many mappings have it.
    var mappingsOfTime: UInt64 = 0
    /// One more than the highest data block.
    var dataBlocks: UInt64 = 0
    /// The highest transaction id.
    var transaction: UInt64 = 0

    /// Takes what the next child has.
    ///
    /// - Returns: Whether its keys come after those before.
    mutating func append(_ child: NodeSummary) -> Bool {
        if let own = keys, let next = child.keys {
            guard next.lowerBound > own.upperBound else { return false }
            keys = own.lowerBound...next.upperBound
        } else {
            keys = keys ?? child.keys
        }
        devices += child.devices
        add(child)
        return true
    }

    /// Takes what a device has.
    mutating func add(_ child: NodeSummary) {
        mappings = mappings.addingReportingOverflow(child.mappings).partialValue
        if child.time > time {
            (time, mappingsOfTime) = (child.time, child.mappingsOfTime)
        } else if child.time == time {
            mappingsOfTime += child.mappingsOfTime
        }
        dataBlocks = max(dataBlocks, child.dataBlocks)
        transaction = max(transaction, child.transaction)
    }
}

/// Every node of a damaged metadata device that is whole by itself, and what the trees below it have where they are whole.
struct NodeTable {
    /// How deep a tree may be.
    static let mostLevels = 16

    enum Kind: UInt8 {
        case none, inner, mappings, details
    }

    /// The entries of a node that may lead to other nodes.
    struct Entries {
        let keys: [UInt64]
        let values: [UInt64]
    }

    private(set) var kinds: [Kind]
    /// The entries of inner nodes, and of leaves that may be a part of the tree of devices.
    private(set) var entries: [UInt64: Entries] = [:]
    /// The sums of the tree whose root a block is, by the kind of tree, where the tree is whole.
    private(set) var mappings: [UInt64: NodeSummary] = [:]
    private(set) var devices: [UInt64: NodeSummary] = [:]
    private(set) var details: [UInt64: NodeSummary] = [:]
    /// The superblocks behind block 0: snapshots of the metadata.
    private(set) var superblocks: [UInt64] = []

    init(_ input: ScanInput) {
        kinds = Array(repeating: .none, count: Int(input.count))
        input.forEachBlock { number, block in scan(number, block) }
        completeMappings()
        completeDevices()
        complete(\.details)
    }

    /// Whether a node is whole by itself.
    func kind(_ block: UInt64) -> Kind { block < kinds.count ? kinds[Int(block)] : .none }

    // MARK: Single blocks

    private mutating func scan(_ number: UInt64, _ block: RawSpan) {
        let checksum = CRC32C.checksum(block.extracting(BlockHeaderLayout.checkedFrom..<block.byteCount))
        let salt = checksum ^ block.number(BlockHeaderLayout.checksum)
        guard block.number(BlockHeaderLayout.number) == number else { return }
        if salt == MetadataBlock.Kind.superblock.rawValue, number > 0 { superblocks.append(number) }
        guard salt == MetadataBlock.Kind.node.rawValue else { return }
        let flags = block.number(NodeLayout.flags)
        let (count, capacity) = (Int(block.number(NodeLayout.count)), Int(block.number(NodeLayout.capacity)))
        let valueSize = Int(block.number(NodeLayout.valueSize))
        let isLeaf = flags == NodeLayout.leaf
        guard isLeaf || flags == NodeLayout.internalNode, count <= capacity, isLeaf || count > 0,
            valueSize == PackedMapping.size || (isLeaf && valueSize == DeviceDetailsLayout.size),
            capacity <= NodeLayout.mostEntries(ofSize: valueSize)
        else { return }
        for index in 1..<max(1, count)
        where block.number(NodeLayout.key(index)) <= block.number(NodeLayout.key(index - 1)) { return }
        let values = NodeLayout.values(behind: capacity)
        if valueSize == DeviceDetailsLayout.size {
            kinds[Int(number)] = .details
            details[number] = Self.details(block, count, values)
            return
        }
        kinds[Int(number)] = isLeaf ? .mappings : .inner
        let summary = Self.mappings(block, count, values)
        if isLeaf { mappings[number] = summary }
        // A leaf of the tree of devices has the numbers of blocks as values.
        guard !isLeaf || count == 0 || summary.dataBlocks <= 1 else { return }
        let indices = 0..<count
        entries[number] = Entries(
            keys: indices.map { block.number(NodeLayout.key($0)) },
            values: indices.map { block.number(MetadataField<UInt64>(values + NodeLayout.childSize * $0)) })
    }

    private static func keys(_ block: RawSpan, _ count: Int) -> ClosedRange<UInt64>? {
        count > 0 ? block.number(NodeLayout.key(0))...block.number(NodeLayout.key(count - 1)) : nil
    }

    private static func mappings(_ block: RawSpan, _ count: Int, _ values: Int) -> NodeSummary {
        var summary = NodeSummary(keys: keys(block, count), mappings: UInt64(count))
        for index in 0..<count {
            let mapping = PackedMapping(block.number(MetadataField<UInt64>(values + PackedMapping.size * index)))
            summary.dataBlocks = max(summary.dataBlocks, mapping.dataBlock + 1)
            if mapping.time > summary.time { (summary.time, summary.mappingsOfTime) = (mapping.time, 0) }
            if mapping.time == summary.time { summary.mappingsOfTime += 1 }
        }
        return summary
    }

    private static func details(_ block: RawSpan, _ count: Int, _ values: Int) -> NodeSummary {
        var summary = NodeSummary(keys: keys(block, count), devices: UInt64(count))
        for index in 0..<count {
            let start = values + DeviceDetailsLayout.size * index
            let mapped = block.number(DeviceDetailsLayout.mappedBlocks, in: start)
            summary.mappings = summary.mappings.addingReportingOverflow(mapped).partialValue
            summary.transaction = max(summary.transaction, block.number(DeviceDetailsLayout.transactionID, in: start))
            summary.time = max(
                summary.time, block.number(DeviceDetailsLayout.creationTime, in: start),
                block.number(DeviceDetailsLayout.snapshottedTime, in: start))
        }
        return summary
    }

    // MARK: Trees

    /// Finds the inner nodes below which everything is whole: each pass those one level higher.
    private mutating func complete(_ table: WritableKeyPath<NodeTable, [UInt64: NodeSummary]>) {
        var open = entries.keys.filter { kinds[Int($0)] == .inner && self[keyPath: table][$0] == nil }.sorted()
        for _ in 1..<Self.mostLevels {
            var rest: [UInt64] = []
            for block in open {
                if let summary = summary(of: block, in: self[keyPath: table]) {
                    self[keyPath: table][block] = summary
                } else {
                    rest.append(block)
                }
            }
            if rest.count == open.count { return }
            open = rest
        }
    }

    private func summary(of block: UInt64, in table: [UInt64: NodeSummary]) -> NodeSummary? {
        guard let node = entries[block] else { return nil }
        var summary = NodeSummary()
        for child in node.values {
            guard let below = table[child], summary.append(below) else { return nil }
        }
        return summary
    }

    private mutating func completeMappings() { complete(\.mappings) }

    private mutating func completeDevices() {
        for (block, node) in entries where kinds[Int(block)] == .mappings {
            guard node.keys.last ?? 0 <= UInt64(ThinDeviceID.maximum.value) else { continue }
            var summary = NodeSummary(devices: UInt64(node.keys.count))
            if let first = node.keys.first, let last = node.keys.last { summary.keys = first...last }
            let below = node.values.compactMap { mappings[$0] }
            guard below.count == node.values.count else { continue }
            for device in below { summary.add(device) }
            devices[block] = summary
        }
        complete(\.devices)
    }
}
