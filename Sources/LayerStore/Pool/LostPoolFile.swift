public import SystemPackage

/// A file that an active pool goes on using although no name in the store leads to it any more.
///
/// Its content is there as long as the pool is active, and gone when the pool is taken down.
public struct LostPoolFile: Hashable, Sendable {
    /// Where the store has the file.
    public let path: FilePath
    /// The loop device, through which the content can still be read.
    public let device: FilePath
    /// Whether there is another file at ``path`` now; otherwise there is none.
    public let isReplaced: Bool

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(path: FilePath, device: FilePath, isReplaced: Bool) {
        self.path = path
        self.device = device
        self.isReplaced = isReplaced
    }

    /// The loss of the file in one sentence without its full stop.
    public var summary: String {
        isReplaced
            ? "another file is at \(path) now, and the pool goes on with the one before, which only \(device) has"
            : "\(path) was deleted, and the pool goes on with the file, which only \(device) has"
    }
}
