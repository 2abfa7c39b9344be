/// Sums up the mappings and the faults below each node of the trees of mappings.
struct MappingSummaries {
    /// The mappings and faults of a subtree.
    struct Subtree {
        var mapped: UInt64 = 0
        var low: UInt64 = 0
        var high: UInt64 = 0
        /// Whether something below cannot be used.
        var isBroken = false
        /// Whether something is wrong that keeps nothing from being read.
        var isOdd = false
    }

    private let forest: MappingForest
    private let leaves: [LeafSummary]
    private var known: [Subtree?]
    /// Nodes that are wrong in the place where they are.
    private(set) var faults: [UInt32: NodeFault] = [:]

    init(_ forest: MappingForest, _ leaves: [LeafSummary]) {
        self.forest = forest
        self.leaves = leaves
        known = [Subtree?](repeating: nil, count: forest.internals.count)
        for (place, leaf) in leaves.enumerated() {
            if let fault = leaf.fault { faults[forest.leaves[place]] = fault }
        }
        faults.merge(forest.faults) { first, _ in first }
    }

    /// The sum for the tree of a root.
    mutating func subtree(of root: UInt64) -> Subtree {
        guard let root = UInt32(exactly: root) else { return Subtree(isBroken: true) }
        return subtree(root, depth: 0)
    }

    private mutating func subtree(_ block: UInt32, depth: Int) -> Subtree {
        switch forest[block] {
        case .leaf(let place):
            let leaf = leaves[place]
            return Subtree(
                mapped: UInt64(leaf.count), low: leaf.low, high: leaf.high,
                isBroken: leaf.fault.map { !$0.isHarmless } ?? false, isOdd: leaf.fault?.isHarmless ?? false)
        case .node(let place):
            if let known = known[place] { return known }
            // A node below itself is met again before it is known.
            known[place] = Subtree(isBroken: true)
            let result = depth < 16 ? node(place, depth: depth) : Subtree(isBroken: true)
            known[place] = result
            return result
        case .broken: return Subtree(isBroken: true)
        }
    }

    private mutating func node(_ place: Int, depth: Int) -> Subtree {
        let node = forest.internals[place]
        var sum = Subtree()
        for (index, child) in node.children.enumerated() {
            let part = subtree(child, depth: depth + 1)
            sum.isBroken = sum.isBroken || part.isBroken
            sum.isOdd = sum.isOdd || part.isOdd || isUnderfull(child)
            guard part.mapped > 0 else { continue }
            let end = index + 1 < node.keys.count ? node.keys[index + 1] : nil
            if part.low < node.keys[index] || end.map({ part.high >= $0 }) ?? false {
                faults[child] = .order
                sum.isBroken = true
            }
            if sum.mapped == 0 { sum.low = part.low }
            sum.high = part.high
            sum.mapped += part.mapped
        }
        return sum
    }

    /// Whether a node that is no root has too few entries.
    private mutating func isUnderfull(_ block: UInt32) -> Bool {
        let isUnderfull =
            switch forest[block] {
            case .leaf(let place): leaves[place].isUnderfull
            case .node(let place): forest.internals[place].keys.count < NodeLayout.fewestChildren
            case .broken: false
            }
        if isUnderfull, faults[block] == nil { faults[block] = .underfull }
        return isUnderfull
    }
}
