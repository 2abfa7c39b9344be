internal import SystemPackage

/// What a directory says about one of the files in it.
struct DirectoryEntry: Comparable {
    let name: FileName
    /// The number of the file's inode; of a directory where something is mounted, of the one below it.
    let inode: UInt64
    /// The type of the file, where the file system tells it here.
    let type: FileType?

    /// Orders entries by the bytes of their names.
    static func < (a: DirectoryEntry, b: DirectoryEntry) -> Bool { a.name < b.name }
}
