internal import CShims
internal import SystemCalls
internal import SystemPackage

/// A directory that is held open, so that its entries are reached whatever happens to the names above it.
final class OpenDirectory {
    /// How a path is to be resolved, from a descriptor of the directory where it begins.
    struct Resolution: OptionSet {
        let rawValue: UInt64

        /// Symbolic links, `..` and `/` stay within the first directory, as if it were the root.
        ///
        /// The links of /proc, which lead anywhere, are an error.
        static let inRoot = Resolution(rawValue: UInt64(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS))
        /// A symbolic link in the path is an error.
        static let noSymbolicLinks = Resolution(rawValue: UInt64(RESOLVE_NO_SYMLINKS))
        /// Another file system on the way is an error.
        static let oneFileSystem = Resolution(rawValue: UInt64(RESOLVE_NO_XDEV))
    }

    let descriptor: FileDescriptor

    /// Opens the directory that `path` leads to, for reading its entries, or only for reaching them.
    init(
        _ path: some Collection<UInt8>, from start: FileDescriptor, _ resolution: Resolution, forReading: Bool = true
    ) throws(Errno) {
        let access = forReading ? UInt64(O_RDONLY) : dmshim_O_PATH
        descriptor = try Self.open(path, from: start, access | UInt64(O_DIRECTORY), resolution)
    }

    /// Opens the directory that `path` leads to without a symbolic link, for reaching its entries.
    ///
    /// The path may be longer than the 4095 bytes that a system call takes.
    ///
    /// - Parameter path: The path relative to `start`; not empty.
    convenience init(
        descending path: some Collection<UInt8>, from start: FileDescriptor, _ resolution: Resolution = []
    ) throws(Errno) {
        var rest = Array(path)[...]
        var above: OpenDirectory?
        // No part of a path is longer than 255 bytes.
        while rest.count > Self.longestPiece,
            let end = rest.prefix(Self.longestPiece).lastIndex(of: UInt8(ascii: "/"))
        {
            above = try OpenDirectory(
                rest[..<end], from: above?.descriptor ?? start, resolution.union(.noSymbolicLinks), forReading: false)
            rest = rest[end...].drop { $0 == UInt8(ascii: "/") }
        }
        try self.init(
            rest, from: above?.descriptor ?? start, resolution.union(.noSymbolicLinks), forReading: false)
    }

    /// The most bytes of a path that are given to one system call, which takes 4095.
    static let longestPiece = 4000

    deinit {
        SystemCalls.close(descriptor.rawValue)
    }

    /// Opens a file; without its time of last access being set, where the caller may do that.
    ///
    /// The corresponding system call is `openat2`.
    static func open(
        _ path: some Collection<UInt8>, from start: FileDescriptor, _ flags: UInt64, mode: UInt64 = 0,
        _ resolution: Resolution
    ) throws(Errno) -> FileDescriptor {
        let terminated = Array(path) + [0]
        var flags = flags | UInt64(O_CLOEXEC)
        if resolution.contains(.noSymbolicLinks) { flags |= UInt64(O_NOFOLLOW) }
        if flags & (dmshim_O_PATH | UInt64(O_CREAT)) == 0 { flags |= dmshim_O_NOATIME }
        var attempts = 0
        while true {
            var opened: CInt = -1
            let answer = unsafe FileName.withCString(terminated) { path in
                unsafe dmshim_openat2(start.rawValue, path, flags, mode, resolution.rawValue, &opened)
            }
            do {
                try requireSuccess(answer)
                return FileDescriptor(rawValue: opened)
            } catch .notPermitted where flags & dmshim_O_NOATIME != 0 {
                flags &= ~dmshim_O_NOATIME
            } catch .resourceTemporarilyUnavailable where attempts < 100 {
                // A process renamed a directory while the kernel resolved a `..`.
                attempts += 1
            } catch {
                throw error
            }
        }
    }

    /// The entries of the directory that `descriptor` reads, in the order of their names, without `.` and `..`.
    ///
    /// The corresponding system call is `getdents64`.
    static func entries(
        of descriptor: FileDescriptor, buffer: inout [UInt8]
    ) throws(Errno) -> [DirectoryEntry] {
        var entries: [DirectoryEntry] = []
        while true {
            let size = buffer.count
            var count = 0
            let answer = unsafe buffer.withUnsafeMutableBytes { bytes in
                unsafe dmshim_getdents64(descriptor.rawValue, bytes.baseAddress, size, &count)
            }
            try requireSuccess(answer)
            guard count > 0 else { break }
            // struct linux_dirent64: inode and offset (8 bytes each), length of the record (2), type (1), name.
            var record = buffer[..<count]
            while record.count > 19 {
                let start = record.startIndex
                let length = Int(record[start + 16]) | Int(record[start + 17]) << 8
                guard length > 19, length <= record.count else { break }
                let name = record[(start + 19)..<(start + length)].prefix { $0 != 0 }
                if !name.elementsEqual([0x2e]), !name.elementsEqual([0x2e, 0x2e]) {
                    // The upper bits of the mode that stat(2) gives; 0 where they are not known.
                    let type = FileType(rawValue: UInt32(record[start + 18]) << 12)
                    let inode = record.prefix(8).enumerated().reduce(0) {
                        $0 | UInt64($1.element) << UInt64(8 * $1.offset)
                    }
                    entries.append(
                        DirectoryEntry(
                            name: FileName(name), inode: inode, type: type.rawValue == 0 ? nil : type))
                }
                record = record.dropFirst(length)
            }
        }
        entries.sort()
        return entries
    }
}
