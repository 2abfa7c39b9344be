/// The roots of a state of a pool.
struct PoolRoots: Hashable {
    /// The tree of devices.
    let mappings: UInt64
    /// The tree of details.
    let details: UInt64
}

/// Looks for the newest state of a pool that is whole.
struct RootSearch {
    private static let mostCompared = 16

    let table: NodeTable
    let input: ScanInput

    /// Whether two trees are whole and of the same devices.
    func isWhole(_ roots: PoolRoots) -> Bool {
        table.devices[roots.mappings] != nil && table.details[roots.details] != nil
            && devices(in: roots.mappings) == devices(in: roots.details)
    }

    /// The newest whole state.
    ///
    /// - Parameter known: Roots that superblocks name.
    func newest(_ known: [PoolRoots]) -> PoolRoots? {
        let pairs = known.filter { isWhole($0) } + pairs()
        func rank(_ pair: PoolRoots) -> (UInt32, UInt64) {
            let summary = table.devices[pair.mappings] ?? NodeSummary()
            return (summary.time, summary.mappingsOfTime)
        }
        guard let highest = pairs.map({ rank($0) }).max(by: { $0 < $1 }) else { return nil }
        let best = pairs.filter { rank($0) == highest }
        // Only among equals, all times are compared, for which the leaves are read again.
        var histograms: [UInt64: [UInt32: UInt64]] = [:]
        for root in Set(best.map(\.mappings)).sorted(by: >).prefix(Self.mostCompared) where best.count > 1 {
            histograms[root] = histogram(of: root)
        }
        return best.max { left, right in
            let (first, second) = (histograms[left.mappings] ?? [:], histograms[right.mappings] ?? [:])
            if let isOlder = Self.isOlder(first, second) { return isOlder }
            let (one, other) = (table.details[left.details], table.details[right.details])
            return (one?.transaction ?? 0, one?.time ?? 0) < (other?.transaction ?? 0, other?.time ?? 0)
        }
    }

    /// Compares how many mappings are of each time, from the latest on; `nil` for equals.
    private static func isOlder(_ left: [UInt32: UInt64], _ right: [UInt32: UInt64]) -> Bool? {
        for time in Set(left.keys).union(right.keys).sorted(by: >) {
            let (one, other) = (left[time] ?? 0, right[time] ?? 0)
            if one != other { return one < other }
        }
        return nil
    }

    /// All pairs of whole trees that are nothing's part, of the same devices with the same number of mappings.
    private func pairs() -> [PoolRoots] {
        let byMappings = Dictionary(grouping: roots(table.details)) { table.details[$0]?.mappings ?? 0 }
        return roots(table.devices).flatMap { root -> [PoolRoots] in
            guard let summary = table.devices[root] else { return [] }
            return (byMappings[summary.mappings] ?? []).map { PoolRoots(mappings: root, details: $0) }.filter {
                table.details[$0.details]?.devices == summary.devices && isWhole($0)
            }
        }
    }

    private func roots(_ trees: [UInt64: NodeSummary]) -> [UInt64] {
        var parts: Set<UInt64> = []
        for block in trees.keys where table.kind(block) == .inner {
            parts.formUnion(table.entries[block]?.values ?? [])
        }
        return trees.keys.filter { !parts.contains($0) }.sorted()
    }

    /// The tree of devices that is whole and has the latest mappings, whatever the details are.
    func newestDevices() -> UInt64? {
        roots(table.devices).filter { table.devices[$0]?.devices ?? 0 > 0 }.max { left, right in
            let (one, other) = (table.devices[left] ?? NodeSummary(), table.devices[right] ?? NodeSummary())
            return (one.time, one.mappingsOfTime, one.mappings) < (other.time, other.mappingsOfTime, other.mappings)
        }
    }

    /// The numbers of the devices in a tree of devices or of details, in order.
    private func devices(in root: UInt64) -> [UInt64] {
        var found: [UInt64] = []
        forEachLeaf(below: root, limit: NodeTable.mostLevels) { leaf in
            if let entries = table.entries[leaf] {
                found += entries.keys
                // The leaf was readable before. If it is not now, the comparison fails.
            } else if let block = try? input.readBlock(leaf) {
                let count = Int(MetadataBlock.number(NodeLayout.count, in: block))
                found += (0..<count).map { MetadataBlock.number(NodeLayout.key($0), in: block) }
            }
        }
        return found
    }

    private func forEachLeaf(below root: UInt64, limit: Int, _ body: (UInt64) -> Void) {
        guard limit > 0 else { return }
        guard table.kind(root) == .inner else { return body(root) }
        for child in table.entries[root]?.values ?? [] { forEachLeaf(below: child, limit: limit - 1, body) }
    }

    /// How many mappings are of each time, where a shared tree counts for each of its devices.
    private func histogram(of root: UInt64) -> [UInt32: UInt64] {
        var devices: [UInt64: UInt64] = [:]
        forEachLeaf(below: root, limit: NodeTable.mostLevels) { leaf in
            for device in table.entries[leaf]?.values ?? [] { devices[device, default: 0] += 1 }
        }
        var leaves: [UInt64: UInt64] = [:]
        for (device, times) in devices {
            forEachLeaf(below: device, limit: NodeTable.mostLevels) { leaves[$0, default: 0] += times }
        }
        var counts: [UInt32: UInt64] = [:]
        for (leaf, times) in leaves {
            // As above: a leaf that has become unreadable makes this state look older.
            guard let block = try? input.readBlock(leaf) else { continue }
            let values = NodeLayout.values(behind: Int(MetadataBlock.number(NodeLayout.capacity, in: block)))
            for index in 0..<Int(MetadataBlock.number(NodeLayout.count, in: block)) {
                let value: UInt64 = MetadataBlock.number(
                    MetadataField<UInt64>(values + PackedMapping.size * index), in: block)
                counts[PackedMapping(value).time, default: 0] += times
            }
        }
        return counts
    }
}
