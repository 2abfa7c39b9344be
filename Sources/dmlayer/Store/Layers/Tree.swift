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

    @OptionGroup var space: SpaceOption
    @OptionGroup var watch: WatchOption
    @OptionGroup var options: GlobalOptions

    func run() throws { try watch.run(options.output, printTree) }

    private func printTree(to output: Output) throws {
        let store = try options.openStore()
        let spaces = try space.read(store)
        var parents: [String: String?] = [:]
        var known: [String: LayerSpace] = [:]
        for case .layer(let id, let record) in try store.layers() where id != .base {
            parents[id.text] = .some(record.parent)
            known[id.text] = spaces[id]
        }
        let forest = LayerForest(parents: parents, spaces: known)
        try output.print(json: forest.roots, text: forest.roots.map(\.text).joined(separator: "\n"))
    }
}

/// The layers by descent.
struct LayerForest {
    /// A layer with those made from it.
    struct Node: Encodable, DrawnNode {
        let id: String
        let parent: String?
        let children: [Node]
        let space: LayerSpace?

        var text: String {
            let note =
                switch parent {
                case "base": ""
                case let parent?: " (from \(parent), which has been removed)"
                case nil: " (parent unknown)"
                }
            return ([id + note + size] + branches).joined(separator: "\n")
        }

        var label: String { id + size }

        private var size: String {
            guard let space else { return "" }
            return ": \(ByteSize.decimal(space.exclusive)) of its own, \(ByteSize.decimal(space.shared)) shared"
        }
    }

    let roots: [Node]

    /// - Parameters:
    ///   - parents: The parent of each layer, `nil` where it is not known.
    ///   - spaces: The space of the layers, where it is wanted.
    init(parents: [String: String?], spaces: [String: LayerSpace] = [:]) {
        let children = Dictionary(grouping: parents.keys.sorted()) { (parents[$0] ?? nil) ?? "" }
        // A layer is older than its children, so there are no circles except in a file that somebody wrote by hand:
        // those are never reached from a root and therefore stand as roots themselves.
        var reached: Set<String> = []
        func node(_ id: String) -> Node {
            reached.insert(id)
            let below = (children[id] ?? []).filter { !reached.contains($0) }
            return Node(id: id, parent: parents[id] ?? nil, children: below.map(node), space: spaces[id])
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
