internal import CShims
internal import Glibc
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
            try OpenDirectory.open(name.bytes, from: directory, flags, mode: 0o600, .noSymbolicLinks))
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
        let type: FileType =
            switch entry.kind {
            case .characterDevice: .characterSpecial
            case .blockDevice: .blockSpecial
            default: .fifo
            }
        let number = entry.kind == .fifo ? 0 : gnu_dev_makedev(entry.deviceMajor, entry.deviceMinor)
        try unsafe call { name in unsafe mknodat(directory.rawValue, name, type.rawValue | 0o600, number) }
    }

    // MARK: Owner, permissions, attributes, times

    /// Gives the file what its entry says; the order matters, as each step may undo some of those after it.
    ///
    /// - Parameter inheritsAccessList: Whether the file may have got an access control list from its directory.
    /// - Returns: How many extended attributes the file system refused, as Docker lets it.
    func restore(_ entry: TarEntry, inheritsAccessList: Bool) throws(Errno) -> Int {
        try unsafe call { name in
            unsafe fchownat(directory.rawValue, name, entry.userID, entry.groupID, AT_SYMLINK_NOFOLLOW)
        }
        let refused = try restoreAttributes(entry, inheritsAccessList: inheritsAccessList)
        if entry.kind != .symbolicLink {
            try unsafe call { name in unsafe fchmodat(directory.rawValue, name, entry.permissions, 0) }
        }
        let time = timespec(
            tv_sec: Int(entry.modificationTime.seconds), tv_nsec: Int(entry.modificationTime.nanoseconds))
        let times = [time, time]
        try unsafe call { name in unsafe utimensat(directory.rawValue, name, times, AT_SYMLINK_NOFOLLOW) }
        return refused
    }

    private func restoreAttributes(_ entry: TarEntry, inheritsAccessList: Bool) throws(Errno) -> Int {
        let holder = AttributeHolder(name, in: directory)
        var refused = 0
        if inheritsAccessList, entry.kind != .symbolicLink {
            for name in [ExtendedAttribute.accessList, ExtendedAttribute.defaultAccessList]
            where !entry.attributes.contains(where: { $0.name == name }) {
                try holder.remove(name)
            }
        }
        for attribute in entry.attributes {
            do {
                try holder.set(attribute)
            } catch .notSupported, .notPermitted {
                refused += 1
            } catch {
                throw error
            }
        }
        return refused
    }

    private func call(_ body: (UnsafePointer<CChar>) -> CInt) throws(Errno) {
        guard unsafe name.withCString(body) == 0 else { throw Errno(rawValue: errno) }
    }
}
