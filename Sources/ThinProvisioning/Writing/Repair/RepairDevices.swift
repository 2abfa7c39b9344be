/// The devices that two trees have, as far as the trees can be read.
struct RepairDevices {
    /// The latest time, the highest transaction id and the end of the data device, as far as they can be seen.
    private(set) var time: UInt32 = 0
    private(set) var transaction: UInt64 = 0
    private(set) var dataBlocks: UInt64 = 0
    /// Each device with its root; without one where no node of its tree is left.
    private(set) var devices: [(id: ThinDeviceID, details: ThinDeviceDetails?, root: UInt64?)] = []

    init(_ table: NodeTable, _ input: ScanInput, _ roots: PoolRoots) {
        var found: [ThinDeviceID: ThinDeviceDetails] = [:]
        Self.forEachLeaf(of: table, below: roots.details, .details) { block in
            // A block that has become unreadable since it was scanned is lost as well.
            guard let bytes = try? input.readBlock(block), let leaf = try? MetadataBlock(bytes, block, .node) else {
                return
            }
            let values = NodeLayout.values(behind: Int(leaf[NodeLayout.capacity]))
            for index in 0..<Int(leaf[NodeLayout.count]) {
                guard let id = ThinDeviceID(leaf[NodeLayout.key(index)]) else { continue }
                found[id] = ThinDeviceDetails(id, leaf, at: values + DeviceDetailsLayout.size * index)
            }
        }
        var trees: [ThinDeviceID: UInt64] = [:]
        Self.forEachLeaf(of: table, below: roots.mappings, .mappings) { block in
            guard let leaf = table.entries[block] else { return }
            for (key, root) in zip(leaf.keys, leaf.values) {
                guard let id = ThinDeviceID(key), [.inner, .mappings].contains(table.kind(root)) else { continue }
                trees[id] = root
            }
        }
        for id in Set(found.keys).union(trees.keys).sorted() {
            devices.append((id, found[id], trees[id]))
            if let details = found[id] {
                time = max(time, details.creationTime, details.snapshottedTime)
                transaction = max(transaction, details.transactionID)
            }
        }
        var seen: Set<UInt64> = []
        for root in trees.values { look(at: root, table, &seen) }
    }

    /// Finds the latest time and the highest data block below a root.
    private mutating func look(at root: UInt64, _ table: NodeTable, _ seen: inout Set<UInt64>) {
        var next = [root]
        while let block = next.popLast() {
            guard seen.insert(block).inserted else { continue }
            if let summary = table.mappings[block] {
                time = max(time, summary.time)
                dataBlocks = max(dataBlocks, summary.dataBlocks)
            } else if table.kind(block) == .inner {
                next += table.entries[block]?.values ?? []
            }
        }
    }

    private static func forEachLeaf(
        of table: NodeTable, below root: UInt64, _ kind: NodeTable.Kind, _ body: (UInt64) -> Void
    ) {
        var (next, seen): ([UInt64], Set<UInt64>) = ([root], [])
        while let block = next.popLast() {
            guard seen.insert(block).inserted else { continue }
            if table.kind(block) == kind { body(block) }
            if table.kind(block) == .inner { next += (table.entries[block]?.values ?? []).reversed() }
        }
    }

    /// The devices to write.
    ///
    /// A device without details gets such that the kernel copies each block before it changes it,
    /// unless the block was written after the pool's last snapshot.
    func devices(time: UInt32) -> [(details: ThinDeviceDetails, root: UInt64?)] {
        devices.map { device in
            (
                device.details
                    ?? ThinDeviceDetails(
                        id: device.id, mappedBlocks: 0, transactionID: 0, creationTime: 0, snapshottedTime: time),
                device.root
            )
        }
    }
}
