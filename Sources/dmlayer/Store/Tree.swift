internal import ArgumentParser
internal import LayerStore

/// The command `tree`.
struct Tree: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tree",
        abstract: "Print which layer was made from which.",
        discussion: """
            A layer whose parent has been removed stands at the left with the name of that parent, and so does one whose \
            parent is not known, because Docker made it.
            """)

    @OptionGroup var options: GlobalOptions

    func run() throws {
        var parents: [String: String?] = [:]
        for case .layer(let id, let record) in try options.openStore().layers() where id != .base {
            parents[id.text] = .some(record.parent)
        }
        let forest = LayerForest(parents: parents)
        try options.output.print(json: forest.roots, text: forest.roots.map(\.text).joined(separator: "\n"))
    }
}

/// The layers by descent.
struct LayerForest {
    /// A layer with those made from it.
    struct Node: Encodable {
        let id: String
        let parent: String?
        let children: [Node]

        var text: String {
            let note =
                switch parent {
                case "base": ""
                case let parent?: " (from \(parent), which has been removed)"
                case nil: " (parent unknown)"
                }
            return ([id + note] + Self.branches(children)).joined(separator: "\n")
        }

        private static func branches(_ nodes: [Node]) -> [String] {
            nodes.enumerated().flatMap { index, node in
                let isLast = index == nodes.count - 1
                return [(isLast ? "└─ " : "├─ ") + node.id]
                    + branches(node.children).map { (isLast ? "   " : "│  ") + $0 }
            }
        }
    }

    let roots: [Node]

    /// - Parameter parents: The parent of each layer, `nil` where it is not known.
    init(parents: [String: String?]) {
        let children = Dictionary(grouping: parents.keys.sorted()) { (parents[$0] ?? nil) ?? "" }
        // A layer is older than its children, so there are no circles except in a file that somebody wrote by hand:
        // those are never reached from a root and therefore stand as roots themselves.
        var reached: Set<String> = []
        func node(_ id: String) -> Node {
            reached.insert(id)
            let below = (children[id] ?? []).filter { !reached.contains($0) }
            return Node(id: id, parent: parents[id] ?? nil, children: below.map(node))
        }
        let hasNoParent = parents.keys.sorted().filter { id in
            guard let parent = parents[id] ?? nil else { return true }
            return parents[parent] == nil
        }
        var roots = hasNoParent.map(node)
        for id in parents.keys.sorted() where !reached.contains(id) { roots.append(node(id)) }
        self.roots = roots
    }
}
