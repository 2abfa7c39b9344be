internal import SystemPackage

/// What a directory says about one of the files in it.
struct DirectoryEntry: Comparable {
    let name: FileName
    /// The type of the file, where the file system tells it here.
    let type: FileType?

    /// Orders entries by the bytes of their names.
    static func < (a: DirectoryEntry, b: DirectoryEntry) -> Bool { a.name < b.name }
}
