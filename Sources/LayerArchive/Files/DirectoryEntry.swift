internal import SystemPackage

/// A file as its directory lists it.
struct DirectoryEntry: Comparable {
    let name: FileName
    /// The number of the file's inode; at a mount point, that of the directory below the mount.
    let inode: UInt64
    /// The type of the file; `nil` where the file system does not list it.
    let type: FileType?

    /// Orders entries by the bytes of their names.
    static func < (a: DirectoryEntry, b: DirectoryEntry) -> Bool { a.name < b.name }
}
