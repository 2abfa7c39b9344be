/// Hands the trees of damaged metadata to a visitor, as far as they can be read.
struct RepairWalk {
    /// The mappings of a part or device that were handed over.
    private struct Extent {
        var keys: Range<UInt64>?
        var mapped: UInt64 = 0
    }

    private let table: NodeTable
    private let input: ScanInput
    private let dataBlocks: UInt64
    /// How often each node is referred to, once for each node above it.
    private var references: [UInt64: UInt32] = [:]
    private var parts: [UInt64: Extent] = [:]
    /// The parts that are being handed over; in damaged metadata a node may lead to itself.
    private var open: Set<UInt64> = []

    init(_ table: NodeTable, _ input: ScanInput, dataBlocks: UInt64, devices: [UInt64]) {
        self.table = table
        self.input = input
        self.dataBlocks = dataBlocks
        for root in devices { count(root) }
    }

    private mutating func count(_ root: UInt64) {
        var next = [root]
        while let block = next.popLast() {
            references[block, default: 0] += 1
            if references[block] == 1, table.kind(block) == .inner { next += table.entries[block]?.values ?? [] }
        }
    }

    /// Hands over the parts that a device shares with others, and have not been handed over before.
    mutating func shareParts(below root: UInt64, _ visitor: inout some ThinMetadataVisitor) throws {
        try shareParts(below: root, levels: NodeTable.mostLevels, &visitor)
    }

    private mutating func shareParts(
        below block: UInt64, levels: Int, _ visitor: inout some ThinMetadataVisitor
    ) throws {
        guard levels > 0, parts[block] == nil, !open.contains(block), table.kind(block) != .none else { return }
        open.insert(block)
        defer { open.remove(block) }
        if table.kind(block) == .inner {
            for child in table.entries[block]?.values ?? [] {
                try shareParts(below: child, levels: levels - 1, &visitor)
            }
        }
        guard references[block] ?? 0 > 1 else { return }
        try visitor.beginShared(block)
        var extent = Extent()
        try hand(block, isRoot: true, levels: levels, &extent, &visitor)
        try visitor.endShared()
        parts[block] = extent
    }

    /// Hands over a device.
    ///
    /// - Returns: How many blocks are mapped.
    mutating func hand(
        _ device: ThinDeviceDetails, root: UInt64, _ visitor: inout some ThinMetadataVisitor
    ) throws -> UInt64 {
        var extent = Extent()
        try visitor.beginDevice(device)
        try hand(root, isRoot: false, levels: NodeTable.mostLevels, &extent, &visitor)
        try visitor.endDevice()
        return extent.mapped
    }

    private func hand(
        _ block: UInt64, isRoot: Bool, levels: Int, _ extent: inout Extent, _ visitor: inout some ThinMetadataVisitor
    ) throws {
        if !isRoot, let part = parts[block] {
            guard let keys = part.keys, keys.lowerBound >= extent.keys?.upperBound ?? 0 else { return }
            try visitor.reference(to: block)
            extent.keys = (extent.keys?.lowerBound ?? keys.lowerBound)..<keys.upperBound
            extent.mapped += part.mapped
            return
        }
        switch table.kind(block) {
        case .inner where levels > 0 && (isRoot || !open.contains(block)):
            for child in table.entries[block]?.values ?? [] {
                // A shared part that is not there yet leads to itself.
                guard references[child] ?? 0 <= 1 || parts[child] != nil else { continue }
                try hand(child, isRoot: false, levels: levels - 1, &extent, &visitor)
            }
        case .mappings: try handLeaf(block, &extent, &visitor)
        default: return
        }
    }

    private func handLeaf(_ block: UInt64, _ extent: inout Extent, _ visitor: inout some ThinMetadataVisitor) throws {
        // A block that has become unreadable since it was scanned is lost as well.
        guard let bytes = try? input.readBlock(block) else { return }
        let values = NodeLayout.values(behind: Int(MetadataBlock.number(NodeLayout.capacity, in: bytes)))
        var runs = MappingRuns()
        for index in 0..<Int(MetadataBlock.number(NodeLayout.count, in: bytes)) {
            let key: UInt64 = MetadataBlock.number(NodeLayout.key(index), in: bytes)
            let mapping = PackedMapping(
                MetadataBlock.number(MetadataField<UInt64>(values + PackedMapping.size * index), in: bytes))
            guard key >= extent.keys?.upperBound ?? 0, key < ThinPoolMetadata.thinBlockLimit,
                mapping.dataBlock < dataBlocks
            else { continue }
            extent.keys = (extent.keys?.lowerBound ?? key)..<key + 1
            extent.mapped += 1
            if let run = runs.append(key, to: mapping.dataBlock, time: mapping.time) { try visitor.map(run) }
        }
        if let run = runs.finish() { try visitor.map(run) }
    }
}
