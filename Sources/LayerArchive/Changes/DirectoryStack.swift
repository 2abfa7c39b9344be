internal import SystemCalls
internal import SystemPackage

/// The open directories from the root of a tree down to the one that is being visited.
///
/// Trees can be deeper than a process may have files open, and their paths longer than a system call takes. So only the
/// last few directories stay open; one further up is opened again through `..` on the way back, and must be the same.
final class DirectoryStack {
    private static let mostOpen = 64

    private struct Level {
        var descriptor: FileDescriptor?
        /// Known when it was needed: before the directory is closed, for example.
        var identity: FileStatus.Identity?
    }
    /// All levels from ``firstOpen`` on are open.
    private var levels: [Level] = []
    private var firstOpen = 0
    /// For reading entries; one suffices since a directory is read whole.
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)

    /// Begins with the directory that `name` is in `parent`; `.` is the parent itself.
    init(_ name: FileName, in parent: FileDescriptor) throws(Errno) {
        try push(name, in: parent)
    }

    deinit {
        for level in levels {
            if let descriptor = level.descriptor { SystemCalls.close(descriptor.rawValue) }
        }
    }

    /// The directory being visited.
    var current: FileDescriptor { levels.last?.descriptor ?? FileDescriptor(rawValue: -1) }
    /// How many directories there are, with the first.
    var depth: Int { levels.count }

    /// The inode of the directory being visited.
    func inode() throws(Errno) -> UInt64 { try identity(at: levels.count - 1).inode }

    /// The entries of the current directory, in the order of their names.
    func entries() throws(Errno) -> [DirectoryEntry] {
        try OpenDirectory.entries(of: current, buffer: &buffer)
    }

    /// Goes down into the directory `name` of the current one.
    ///
    /// - Throws: `EXDEV` when something is mounted there.
    func enter(_ name: FileName) throws(Errno) {
        try push(name, in: current)
        if levels.count - firstOpen > Self.mostOpen {
            _ = try identity(at: firstOpen)
            if let descriptor = levels[firstOpen].descriptor { SystemCalls.close(descriptor.rawValue) }
            levels[firstOpen].descriptor = nil
            firstOpen += 1
        }
    }

    /// Goes back to the parent directory.
    ///
    /// - Throws: `ESTALE` when the directory was moved elsewhere meanwhile.
    func leave() throws(Errno) {
        guard let left = levels.popLast()?.descriptor else { return }
        defer { SystemCalls.close(left.rawValue) }
        guard let parent = levels.last, parent.descriptor == nil else { return }
        let descriptor = try Self.open(FileName("..".utf8), in: left)
        levels[levels.count - 1].descriptor = descriptor
        firstOpen -= 1
        guard try FileStatus(of: descriptor).identity == parent.identity else { throw .staleNFSFileHandle }
    }

    private func identity(at level: Int) throws(Errno) -> FileStatus.Identity {
        if let identity = levels[level].identity { return identity }
        let descriptor = levels[level].descriptor ?? FileDescriptor(rawValue: -1)
        let identity = try FileStatus(of: descriptor).identity
        levels[level].identity = identity
        return identity
    }

    private func push(_ name: FileName, in parent: FileDescriptor) throws(Errno) {
        levels.append(Level(descriptor: try Self.open(name, in: parent)))
    }

    private static func open(_ name: FileName, in parent: FileDescriptor) throws(Errno) -> FileDescriptor {
        let flags = UInt64(O_RDONLY | O_DIRECTORY)
        return try OpenDirectory.open(name.bytes, from: parent, flags, [.noSymbolicLinks, .oneFileSystem])
    }
}
