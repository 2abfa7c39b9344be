/// The facts about a leaf that remain after it was read.
struct LeafSummary: Sendable {
    /// The lowest and the highest key; of no meaning in an empty leaf.
    var low: UInt64 = 0
    var high: UInt64 = 0
    var count: UInt32 = 0
    var fault: NodeFault?
    var isUnderfull = false
}

extension MappingForest {
    /// Reads all leaves in the order of the disk, on several threads.
    ///
    /// - Parameters:
    ///   - start: Makes what a thread keeps.
    ///   - body: Gets what the thread keeps, the place of a leaf in ``leaves``, and its header and bytes.
    /// - Returns: A summary of each leaf, and what each thread has kept.
    func readLeaves<State: Sendable>(
        _ start: @escaping @Sendable () -> State,
        _ body: @escaping @Sendable (inout State, Int, NodeHeader, RawSpan) -> Void
    ) -> (summaries: [LeafSummary], states: [State]) {
        let results = ParallelWork.map(0..<leaves.count) { places -> ([LeafSummary], State) in
            var summaries: [LeafSummary] = []
            summaries.reserveCapacity(places.count)
            var state = start()
            blocks.forEach(leaves[places]) { place, bytes in
                summaries.append(summary(place, bytes) { body(&state, place, $0, bytes) })
            }
            return (summaries, state)
        }
        return (Array(results.map(\.0).joined()), results.map(\.1))
    }

    private func summary(_ place: Int, _ bytes: RawSpan, _ body: (NodeHeader) -> Void) -> LeafSummary {
        do throws(NodeFault) {
            let node = try NodeHeader(bytes, leaves[place], leafValueSize: PackedMapping.size)
            guard node.isLeaf else { return LeafSummary(fault: .height) }
            var summary = LeafSummary(count: UInt32(node.count))
            if node.count > 0 {
                summary.low = bytes.number(NodeLayout.key(0))
                summary.high = bytes.number(NodeLayout.key(node.count - 1))
            }
            if node.capacity % 3 != 0 { summary.fault = .roomOfOtherSize }
            summary.isUnderfull = node.count < node.capacity / 3
            body(node)
            return summary
        } catch {
            return LeafSummary(fault: error)
        }
    }

    /// Calls `body` with the blocks of the leaves of a tree, in the order of their keys.
    ///
    /// - Throws: ``ThinMetadataError/Code/inconsistent`` where a node is broken or lies below itself, and what `body`
    ///   throws.
    func forEachLeaf(of root: UInt64, _ body: (Int) throws -> Void) throws {
        guard let root = UInt32(exactly: root) else { throw error(.max) }
        try visit(root, depth: 0, body)
    }

    private func visit(_ block: UInt32, depth: Int, _ body: (Int) throws -> Void) throws {
        switch self[block] {
        case .leaf(let place): try body(place)
        case .node(let place):
            guard depth < 16 else { throw error(block) }
            for child in internals[place].children { try visit(child, depth: depth + 1, body) }
        case .broken: throw error(block)
        }
    }

    private func error(_ block: UInt32) -> ThinMetadataError {
        ThinMetadataError(.inconsistent, block: UInt64(block), (faults[block] ?? .behindTheEnd).text)
    }
}
