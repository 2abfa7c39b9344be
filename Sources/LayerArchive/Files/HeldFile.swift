internal import CShims
internal import SystemCalls
internal import SystemPackage

/// A file that is reached by a descriptor: whatever a process puts at its name meanwhile, what is done here is done to this
/// file and to no other.
final class HeldFile {
    let descriptor: FileDescriptor
    /// Whether the file is open.
    ///
    /// Otherwise the descriptor (`O_PATH`) only says which file it is, which is possible with files of all types.
    private let isOpen: Bool

    /// Takes over an open file.
    init(open descriptor: FileDescriptor) {
        self.descriptor = descriptor
        isOpen = true
    }

    /// Reaches the entry `name` of an open directory without opening it: also a symbolic link itself.
    ///
    /// - Throws: With ``OpenDirectory/Resolution/oneFileSystem``, `EXDEV` when something is mounted there.
    init(
        _ name: FileName, in directory: FileDescriptor, _ resolution: OpenDirectory.Resolution = []
    ) throws(Errno) {
        descriptor = try OpenDirectory.open(
            name.bytes, from: directory, dmshim_O_PATH, resolution.union(.noSymbolicLinks))
        isOpen = false
    }

    deinit { SystemCalls.close(descriptor.rawValue) }

    /// The corresponding system call is `statx`.
    func status() throws(Errno) -> FileStatus { try FileStatus(of: descriptor) }

    /// Opens the file, which must be a regular one, for reading.
    func openForReading() throws(Errno) -> FileDescriptor {
        var flags = O_RDONLY | O_CLOEXEC | CInt(truncatingIfNeeded: dmshim_O_NOATIME)
        while true {
            do {
                let opened = try systemCall { unsafe withPath { path in unsafe open(path, flags) } }
                return FileDescriptor(rawValue: opened)
            } catch .notPermitted where flags & CInt(truncatingIfNeeded: dmshim_O_NOATIME) != 0 {
                // Only the owner of a file may leave the time of its last access as it is.
                flags &= ~CInt(truncatingIfNeeded: dmshim_O_NOATIME)
            } catch {
                throw error
            }
        }
    }

    // MARK: Owner, permissions, attributes, times

    /// Gives the file what an entry says; the order matters, as each step may undo some of those after it.
    ///
    /// - Parameter inheritsAccessList: Whether the file may have got an access control list from its directory.
    /// - Returns: How many extended attributes the file system refused, as Docker lets it.
    func restore(_ entry: TarEntry, inheritsAccessList: Bool) throws(Errno) -> Int {
        try check(
            unsafe fchownat(descriptor.rawValue, "", entry.userID, entry.groupID, dmshim_AT_EMPTY_PATH))
        let refused = try restoreAttributes(entry, inheritsAccessList: inheritsAccessList)
        if entry.kind != .symbolicLink {
            try check(
                isOpen
                    ? fchmod(descriptor.rawValue, entry.permissions)
                    : unsafe withPath { path in unsafe chmod(path, entry.permissions) })
        }
        let time = timespec(
            tv_sec: Int(entry.modificationTime.seconds), tv_nsec: Int(entry.modificationTime.nanoseconds))
        let times = [time, time]
        try check(
            isOpen
                ? unsafe futimens(descriptor.rawValue, times)
                : unsafe withPath { path in unsafe utimensat(AT_FDCWD, path, times, 0) })
        return refused
    }

    private func restoreAttributes(_ entry: TarEntry, inheritsAccessList: Bool) throws(Errno) -> Int {
        let holder = isOpen ? AttributeHolder(descriptor) : AttributeHolder(reachedBy: descriptor)
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

    /// Lends the path in /proc that leads to the file itself, even if that is a symbolic link.
    ///
    /// The calls that take a descriptor of a file that is not open came late: `fchmodat2` with Linux 6.6.
    private func withPath(_ body: (UnsafePointer<CChar>) -> CInt) -> CInt {
        unsafe FileName.withCString(Array("/proc/self/fd/\(descriptor.rawValue)".utf8) + [0], body)
    }

    private func check(_ call: @autoclosure () -> CInt) throws(Errno) { try systemCall(call) }
}
