internal import SystemPackage

/// The changes of a layer, each with the directory that it is in, which is in the tree itself or the root.
///
/// A layer may have millions of files. So that they fit into memory, a path is kept as its last part, and a change takes 16
/// bytes and that.
struct ChangeTree: Sendable {
    private struct Node {
        let parent: Int32
        let rank: UInt32
        let nameStart: UInt32
        let nameLength: UInt8
        let kind: UInt8
        /// The upper half of the file's mode.
        let type: UInt16
    }

    /// The parent of what is in the root.
    static let root = -1

    private var nodes: [Node] = []
    private var names: [UInt8] = []

    /// Adds a change, in the directory that was added as `parent`.
    ///
    /// - Parameter rank: Where the path comes in the order of all of them.
    /// - Returns: The number to give as the parent of changes within it.
    /// - Throws: ``LayerArchiveError/Code/unsupported`` when there are more than any file system has.
    mutating func append(
        _ kind: Change.Kind, _ type: FileType, _ name: FileName, parent: Int, rank: Int
    ) throws(LayerArchiveError) -> Int {
        guard let parent = Int32(exactly: parent), let rank = UInt32(exactly: rank),
            let nameStart = UInt32(exactly: names.count), let nameLength = UInt8(exactly: name.bytes.count)
        else { throw LayerArchiveError(.unsupported, "there are more changes, or longer names, than can be listed") }
        nodes.append(
            Node(
                parent: parent, rank: rank, nameStart: nameStart, nameLength: nameLength, kind: UInt8(kind.rawValue),
                type: UInt16(truncatingIfNeeded: type.rawValue)))
        names += name.bytes
        return nodes.count - 1
    }

    /// The positions of the changes in the order of their ranks, which is almost the order in which they were added.
    func sortedPositions() -> [Int32] {
        (0..<Int32(nodes.count)).sorted { nodes[Int($0)].rank < nodes[Int($1)].rank }
    }

    /// Whether the last part of the path at a position begins with `prefix`.
    func name(at position: Int, beginsWith prefix: [UInt8]) -> Bool {
        let node = nodes[position]
        let start = Int(node.nameStart)
        return names[start..<(start + Int(node.nameLength))].starts(with: prefix)
    }

    /// The change at a position, with its whole path.
    subscript(position: Int) -> Change {
        var length = -1
        var ancestor = position
        while ancestor != Self.root {
            length += Int(nodes[ancestor].nameLength) + 1
            ancestor = Int(nodes[ancestor].parent)
        }
        // From its end to its beginning.
        var path = [UInt8](repeating: UInt8(ascii: "/"), count: length)
        ancestor = position
        while ancestor != Self.root {
            let node = nodes[ancestor]
            length -= Int(node.nameLength)
            let start = Int(node.nameStart)
            path.replaceSubrange(
                length..<length + Int(node.nameLength), with: names[start..<start + Int(node.nameLength)])
            length -= 1
            ancestor = Int(node.parent)
        }
        let node = nodes[position]
        return Change(
            kind: Change.Kind(rawValue: Int(node.kind)) ?? .modified, relativePath: path,
            nameLength: Int(node.nameLength), type: FileType(rawValue: UInt32(node.type)), directory: Int(node.parent))
    }
}
