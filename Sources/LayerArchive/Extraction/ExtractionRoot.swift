internal import SystemCalls
internal import SystemPackage

/// The tree that a layer is unpacked into.
///
/// No path leads out of it, whatever symbolic links it has.
struct ExtractionRoot {
    /// A directory of the tree.
    final class Directory {
        let descriptor: FileDescriptor
        let inode: UInt64
        /// Whether new files get an access control list from the directory.
        let givesAccessList: Bool
        private let owner: OpenDirectory?

        fileprivate init(_ descriptor: FileDescriptor, owner: OpenDirectory?) throws(Errno) {
            self.descriptor = descriptor
            self.owner = owner
            inode = try FileStatus(of: descriptor).inode
            let holder = AttributeHolder(reachedBy: descriptor)
            givesAccessList = try holder.value(of: ExtendedAttribute.defaultAccessList) != nil
        }
    }

    private let descriptor: FileDescriptor
    /// The directory that was used last; mostly it is the next one, too.
    private var last: (path: [UInt8], directory: Directory)?
    /// The inodes of directories that were made here; what is in them has not been there before.
    private var newDirectories: Set<UInt64> = []

    init(_ descriptor: FileDescriptor) {
        self.descriptor = descriptor
    }

    /// Opens a directory; symbolic links in its path are followed within the tree.
    ///
    /// - Parameter path: The path relative to the root, which is the empty path.
    mutating func directory(_ path: [UInt8]) throws(Errno) -> Directory {
        if let last, last.path == path { return last.directory }
        let directory: Directory
        if path.isEmpty {
            directory = try Directory(descriptor, owner: nil)
        } else {
            let opened = try open(path)
            directory = try Directory(opened?.descriptor ?? descriptor, owner: opened)
        }
        last = (path, directory)
        return directory
    }

    /// Opens a directory, and makes it, and those above it, where an archive did not say so.
    mutating func makeDirectory(_ path: [UInt8]) throws(Errno) -> Directory {
        do {
            return try directory(path)
        } catch .noSuchFileOrDirectory {
            // The walk makes it.
        } catch {
            throw error
        }
        var walk = RootWalk(path, in: descriptor)
        let opened = try walk.run(making: true)
        newDirectories.formUnion(walk.madeInodes)
        let directory = try Directory(opened?.descriptor ?? descriptor, owner: opened)
        last = (path, directory)
        return directory
    }

    private func open(_ path: [UInt8]) throws(Errno) -> OpenDirectory? {
        guard path.count > OpenDirectory.longestPiece else {
            return try OpenDirectory(path, from: descriptor, [.inRoot, .oneFileSystem], forReading: false)
        }
        var walk = RootWalk(path, in: descriptor)
        return try walk.run(making: false)
    }

    /// How many directories were made here.
    var newDirectoryCount: Int { newDirectories.count }

    /// Says that the directory with an inode was made here.
    mutating func noteNew(_ inode: UInt64) { newDirectories.insert(inode) }

    /// Whether the directory with an inode was made here.
    func isNew(_ inode: UInt64) -> Bool { newDirectories.contains(inode) }

    /// Removes the entry `name` of a directory, with all that is in it.
    mutating func remove(_ name: FileName, in directory: Directory) throws(Errno) {
        // The path to the directory may have led through it.
        last = nil
        try TreeRemoval.remove(name, in: directory.descriptor)
    }

    /// Removes what is in a directory, but what `keeps` wants, which is asked with an inode and a name in it.
    mutating func clear(_ directory: Directory, keeping keeps: (UInt64, FileName) -> Bool) throws(Errno) {
        last = nil
        try TreeRemoval.clear(FileName(".".utf8), in: directory.descriptor, keeping: keeps)
    }
}
