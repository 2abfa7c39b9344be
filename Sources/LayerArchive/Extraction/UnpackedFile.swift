internal import CShims
internal import SystemCalls
internal import SystemPackage

/// A file of a layer that is made and gets what its entry says: the entry `name` of an open directory.
struct UnpackedFile {
    private let name: FileName
    /// Held, so that it stays open.
    private let parent: ExtractionRoot.Directory

    init(_ name: FileName, in parent: ExtractionRoot.Directory) {
        self.name = name
        self.parent = parent
    }

    private var directory: FileDescriptor { parent.descriptor }

    /// The corresponding system call is `statx`.
    func status() throws(Errno) -> FileStatus {
        try FileStatus(of: name, in: directory)
    }

    // MARK: Making

    /// The corresponding C function is `mkdirat`.
    func makeDirectory() throws(Errno) {
        try unsafe call { name in unsafe mkdirat(directory.rawValue, name, 0o700) }
    }

    /// Makes an empty file and opens it.
    func makeContents() throws(Errno) -> UnpackedContents {
        let flags = UInt64(O_WRONLY | O_CREAT | O_EXCL)
        return UnpackedContents(
            HeldFile(open: try OpenDirectory.open(name.bytes, from: directory, flags, mode: 0o600, .noSymbolicLinks)))
    }

    /// The corresponding C function is `symlinkat`.
    func makeSymbolicLink(to target: [UInt8]) throws(Errno) {
        try unsafe call { name in
            unsafe FileName.withCString(target + [0]) { target in unsafe symlinkat(target, directory.rawValue, name) }
        }
    }

    /// The corresponding C function is `linkat`; a symbolic link is not followed, but gets another name.
    func makeHardLink(to target: UnpackedFile) throws(Errno) {
        try unsafe call { name in
            unsafe target.name.withCString { targetName in
                unsafe linkat(target.directory.rawValue, targetName, directory.rawValue, name, 0)
            }
        }
    }

    /// The corresponding C function is `mknodat`.
    func makeNode(_ entry: TarEntry) throws(Errno) {
        let type = entry.kind.fileType
        let number = entry.kind == .fifo ? 0 : gnu_dev_makedev(entry.deviceMajor, entry.deviceMinor)
        try unsafe call { name in unsafe mknodat(directory.rawValue, name, type.rawValue | 0o600, number) }
    }

    /// Reaches the file that was made here, in order to give it what its entry says.
    ///
    /// - Parameter type: The type that it was made with.
    /// - Throws: `ESTALE` when another file has taken its place. A file with another name is one: it could be any of the
    ///   layer's.
    func held(_ type: FileType) throws(Errno) -> HeldFile {
        let file = try held()
        let status = try file.status()
        guard status.type == type, status.linkCount == 1 else { throw .staleNFSFileHandle }
        return file
    }

    /// Reaches what is there.
    func held() throws(Errno) -> HeldFile { try HeldFile(name, in: directory, .oneFileSystem) }

    private func call(_ body: (UnsafePointer<CChar>) -> CInt) throws(Errno) {
        try systemCall { unsafe name.withCString(body) }
    }
}

extension TarEntry.Kind {
    /// The type of file that an entry of this kind becomes.
    var fileType: FileType {
        switch self {
        case .file, .hardLink: .regular
        case .symbolicLink: .symbolicLink
        case .characterDevice: .characterSpecial
        case .blockDevice: .blockSpecial
        case .directory: .directory
        case .fifo: .fifo
        }
    }
}
