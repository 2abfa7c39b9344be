internal import SystemPackage

/// The changes of a layer, each with the directory that it is in, which is in the tree itself or the root.
///
/// A layer may have millions of files. So that they fit into memory, a path is kept as its last part.
struct ChangeTree: Sendable {
    private struct Node {
        let parent: Int
        let rank: Int
        let nameStart: Int
        let nameLength: UInt16
        let kind: Change.Kind
        let type: FileType
    }

    /// The parent of what is in the root.
    static let root = -1

    private var nodes: [Node] = []
    private var names: [UInt8] = []

    /// Adds a change, in the directory that was added as `parent`.
    ///
    /// - Parameter rank: Where the path comes in the order of all of them.
    /// - Returns: What to give as the parent of changes within it.
    mutating func append(
        _ kind: Change.Kind, _ type: FileType, _ name: FileName, parent: Int, rank: Int
    ) -> Int {
        let node = Node(
            parent: parent, rank: rank, nameStart: names.count, nameLength: UInt16(name.bytes.count), kind: kind,
            type: type)
        nodes.append(node)
        names += name.bytes
        return nodes.count - 1
    }

    /// The positions of the changes in the order of their ranks, which is almost the order in which they were added.
    func sortedPositions() -> [Int] {
        nodes.indices.sorted { nodes[$0].rank < nodes[$1].rank }
    }

    /// The change at a position, with its whole path.
    subscript(position: Int) -> Change {
        var length = -1
        var ancestor = position
        while ancestor != Self.root {
            length += Int(nodes[ancestor].nameLength) + 1
            ancestor = nodes[ancestor].parent
        }
        // From its end to its beginning.
        var path = [UInt8](repeating: UInt8(ascii: "/"), count: length)
        ancestor = position
        while ancestor != Self.root {
            let node = nodes[ancestor]
            length -= Int(node.nameLength)
            for offset in 0..<Int(node.nameLength) { path[length + offset] = names[node.nameStart + offset] }
            length -= 1
            ancestor = node.parent
        }
        let node = nodes[position]
        return Change(
            kind: node.kind, relativePath: path, nameLength: Int(node.nameLength), type: node.type,
            directory: node.parent)
    }
}
