/// Which leaves the trees of several devices have in common, in runs that are as long as possible.
///
/// A run is a sequence of leaves that every tree with one of them has whole, one leaf behind the other.
struct SharedRuns {
    private static let none: UInt32 = .max
    private static let several: UInt32 = .max - 1

    /// The leaf before a leaf, and the one behind it, in all trees.
    private var before: [UInt32]
    private var behind: [UInt32]
    private var isFirst: [Bool]
    private var isLast: [Bool]
    private var isRepeated: [Bool]
    private var isUsed: [Bool]

    /// Compares the trees of some roots, one for each device.
    ///
    /// - Throws: ``ThinMetadataError/Code/inconsistent`` where a tree cannot be walked.
    init(_ forest: MappingForest, roots: some Sequence<UInt64>) throws {
        let count = forest.leaves.count
        before = [UInt32](repeating: Self.none, count: count)
        behind = before
        isFirst = [Bool](repeating: false, count: count)
        (isLast, isRepeated, isUsed) = (isFirst, isFirst, isFirst)
        for root in roots {
            var previous: Int?
            try forest.forEachLeaf(of: root) { leaf in
                if isUsed[leaf] { isRepeated[leaf] = true }
                isUsed[leaf] = true
                if let previous {
                    Self.note(leaf, in: &behind[previous])
                    Self.note(previous, in: &before[leaf])
                } else {
                    isFirst[leaf] = true
                }
                previous = leaf
            }
            if let previous { isLast[previous] = true }
        }
    }

    private static func note(_ leaf: Int, in place: inout UInt32) {
        if place == none { place = UInt32(leaf) } else if place != UInt32(leaf) { place = several }
    }

    /// Whether a run begins with a leaf.
    func begins(_ leaf: Int) -> Bool {
        guard isUsed[leaf] else { return false }
        let previous = before[leaf]
        if isFirst[leaf] || previous == Self.none || previous == Self.several { return true }
        return isLast[Int(previous)] || behind[Int(previous)] == Self.several
    }

    /// Whether the run that begins with a leaf occurs more than once.
    func isShared(_ leaf: Int) -> Bool { isRepeated[leaf] }

    /// The leaf behind a leaf in its run; `nil` at the end of the run.
    func next(_ leaf: Int) -> Int? {
        let next = behind[leaf]
        guard next != Self.none, next != Self.several, !begins(Int(next)) else { return nil }
        return Int(next)
    }
}
