/// A node of a tree that is printed as text.
protocol DrawnNode {
    /// The line of the node.
    var label: String { get }
    /// The nodes below it.
    var children: [Self] { get }
}

extension DrawnNode {
    /// The lines of the nodes below this one, with strokes that lead to them.
    var branches: [String] {
        children.enumerated().flatMap { index, node in
            let isLast = index == children.count - 1
            return [(isLast ? "└─ " : "├─ ") + node.label] + node.branches.map { (isLast ? "   " : "│  ") + $0 }
        }
    }

    /// The node and those below it.
    var text: String { ([label] + branches).joined(separator: "\n") }
}
