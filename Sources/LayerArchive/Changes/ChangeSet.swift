public import SystemPackage

/// The differences between a layer and its parent, by Docker's rules, in the order of the bytes of the paths.
///
/// A directory comes before the files in it, and is listed when anything in it changed; the root never is. Of a removed
/// tree only the top is listed. A file system that is mounted on a directory of either tree is not visited.
public struct ChangeSet: Sendable {
    private let tree: ChangeTree
    private let order: [Int32]

    /// Makes a set without changes.
    public init() {
        tree = ChangeTree()
        order = []
    }

    /// Compares two trees; nothing in them is opened but directories.
    ///
    /// - Parameters:
    ///   - upper: The root directory of the layer.
    ///   - lower: The root directory of its parent; without it, all of the layer was added.
    ///   - isUnchanged: Whether the inode of a number is certainly the same in both trees, with its times, its owners, its
    ///     extended attributes and its contents, given that both have it. Of such a file nothing more is asked.
    ///   - cancellation: Asked before each entry.
    /// - Throws: ``LayerArchiveError/Code/file`` when a directory cannot be read.
    public init(
        of upper: FileDescriptor, against lower: FileDescriptor?,
        isUnchanged: @escaping (_ inode: UInt64) -> Bool = { _ in false }, cancellation: Cancellation = .never
    ) throws(LayerArchiveError) {
        var comparison = try TreeComparison(
            of: upper, against: lower, isUnchanged: isUnchanged, cancellation: cancellation)
        while try comparison.advance() {}
        tree = comparison.changes
        order = tree.sortedPositions()
    }

    /// How many bytes the layer adds to its parent, as Docker counts them: the sizes of all files that were added or
    /// modified, without directories, and each file once, however many links it has.
    ///
    /// - Parameter upper: The root directory of the layer.
    public func size(
        in upper: FileDescriptor, cancellation: Cancellation = .never
    ) throws(LayerArchiveError) -> Int64 {
        var source = ExportSource(upper)
        var linkedInodes: Set<UInt64> = []
        var size: Int64 = 0
        for change in self where change.kind != .deleted && change.type != .directory {
            try cancellation.check()
            let status = try source.status(of: change)
            if status.linkCount > 1, !linkedInodes.insert(status.inode).inserted { continue }
            let sum = size.addingReportingOverflow(status.size)
            size = sum.overflow ? .max : sum.partialValue
        }
        return size
    }
}

extension ChangeSet: RandomAccessCollection {
    /// The position of the first change.
    public var startIndex: Int { order.startIndex }
    /// The position after the last change.
    public var endIndex: Int { order.endIndex }

    /// The first change of a file whose name begins with `prefix`.
    ///
    /// A directory with a change somewhere within is one itself, so that no path has such a part otherwise.
    func firstChange(named prefix: [UInt8]) -> Change? {
        order.first { tree.name(at: Int($0), beginsWith: prefix) }.map { tree[Int($0)] }
    }

    /// The change at a position.
    public subscript(position: Int) -> Change { tree[Int(order[position])] }
}
