public import SystemPackage

/// What a layer changed of its parent, by Docker's rules, in the order of the bytes of the paths.
///
/// A directory comes before what is in it, and is listed when anything in it changed; the root never is. Of what was
/// removed only the top is listed. What is mounted on a directory of either tree is not looked into.
public struct ChangeSet: Sendable {
    private let changes: [Change]
    /// The bytes that the layer adds to its parent, as Docker counts them: the sizes of all files that were added or
    /// modified, without directories, and each file once, however many links it has.
    public let size: Int64

    /// Compares two trees; nothing in them is opened but directories.
    ///
    /// - Parameters:
    ///   - upper: The root directory of the layer.
    ///   - lower: The root directory of its parent; without it, all of the layer was added.
    ///   - cancellation: Asked before each entry.
    /// - Throws: ``LayerArchiveError/Code/file`` when a directory cannot be read.
    public init(
        of upper: FileDescriptor, against lower: FileDescriptor?, cancellation: Cancellation = .never
    ) throws(LayerArchiveError) {
        var comparison = try TreeComparison(of: upper, against: lower, cancellation: cancellation)
        while try comparison.advance() {}
        size = comparison.size
        changes = comparison.changes.sorted { $0.relativePath.lexicographicallyPrecedes($1.relativePath) }
    }
}

extension ChangeSet: RandomAccessCollection {
    /// The position of the first change.
    public var startIndex: Int { changes.startIndex }
    /// The position after the last change.
    public var endIndex: Int { changes.endIndex }

    /// The change at a position.
    public subscript(position: Int) -> Change { changes[position] }
}
