internal import CShims
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// A directory of small files that are replaced as a whole.
///
/// A file that has been written is on the disk, name included, when the call returns; a crash leaves the old content or
/// the new one. That costs one synchronisation on ext4 and XFS, and two elsewhere.
final class DurableDirectory: Sendable {
    let path: FilePath
    private let descriptor: FileDescriptor
    /// Whether a file that is synchronised takes along what was done to names before.
    ///
    /// ext4 and XFS have one journal, in order, and a rename changes the inode of the file as well: what makes the
    /// inode durable makes the rename durable. POSIX promises nothing of the kind.
    private let isOrderedByJournal: Bool

    /// The largest file that is read: a file of ours has a few hundred bytes.
    private static let largestFile = 1 << 20
    /// More than a file of ours has, so that one system call reads it.
    private static let usualLength = 1024
    private static let temporaryPrefix = ".tmp"
    /// What tells the next temporary file from all others, from a beginning that no other process has.
    private static let temporaryNumber = Atomic(UInt64.random(in: .min ... .max))

    init(_ path: FilePath) throws(LayerStoreError) {
        self.path = path
        do {
            descriptor = try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec])
        } catch {
            throw Self.failure("open", path, error)
        }
        isOrderedByJournal = dmshim_is_ext4_or_xfs(descriptor.rawValue) != 0
    }

    deinit {
        // Nothing was written through this descriptor.
        try? descriptor.close()
    }

    /// The names of all files, without directories and without what interrupted writes left behind.
    func names() throws(LayerStoreError) -> [String] {
        try allNames().filter { !$0.hasPrefix(Self.temporaryPrefix) }
    }

    private func allNames() throws(LayerStoreError) -> [String] {
        guard let stream = unsafe opendir(path.string) else {
            throw Self.failure("list", path, Errno(rawValue: errno))
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            guard unsafe entry.pointee.d_type != UInt8(DT_DIR) else { continue }
            names.append(
                unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names
    }

    /// The content of a file, or `nil` when there is none of this name.
    func read(_ name: String) throws(LayerStoreError) -> [UInt8]? {
        let file: FileDescriptor
        do {
            file = try open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        } catch .noSuchFileOrDirectory {
            return nil
        } catch {
            throw Self.failure("open", path.appending(name), error)
        }
        defer { try? file.close() }
        do {
            var content: [UInt8] = []
            while true {
                let room = max(Self.usualLength, content.count)
                let piece = try unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                    count = unsafe try file.read(into: UnsafeMutableRawBufferPointer(buffer))
                }
                content = content.isEmpty ? piece : content + piece
                // Less than was asked for: such a file has no more, and asking again would be a system call for nothing.
                if piece.count < room { return content }
                guard content.count <= Self.largestFile else { throw Errno.fileTooLarge }
            }
        } catch {
            throw Self.failure("read", path.appending(name), error)
        }
    }

    /// Makes `content` the content of a file, durably.
    ///
    /// - Throws: ``LayerStoreError``: `invalidOption` for more than would be read again.
    func write(_ name: String, _ content: [UInt8]) throws(LayerStoreError) {
        guard content.count <= Self.largestFile else {
            throw LayerStoreError(
                .invalidOption,
                "\(path.appending(name)) would have \(content.count) bytes, and may have "
                    + "\(Self.largestFile)")
        }
        let number = Self.temporaryNumber.wrappingAdd(1, ordering: .relaxed).newValue
        let temporary = "\(Self.temporaryPrefix)\(number)"
        do {
            let file = try open(temporary, O_WRONLY | O_CREAT | O_EXCL)
            do {
                defer { try? file.close() }
                try file.writeAll(content)
                if isOrderedByJournal {
                    // No commit of the journal may have the name before the content has its place.
                    let errno = dmshim_write_out(file.rawValue)
                    guard errno == 0 else { throw Errno(rawValue: errno) }
                    try move(temporary, to: name)
                    try check(fsync(file.rawValue))
                } else {
                    try check(fsync(file.rawValue))
                    try move(temporary, to: name)
                    try check(fsync(descriptor.rawValue))
                }
            }
        } catch {
            _ = unsafe unlinkat(descriptor.rawValue, temporary, 0)
            throw Self.failure("write", path.appending(name), error)
        }
    }

    /// Makes an empty file whose name says everything; it is durable with the next ``synchronize()``.
    func mark(_ name: String) throws(LayerStoreError) {
        do {
            try open(name, O_WRONLY | O_CREAT).close()
        } catch {
            throw Self.failure("create", path.appending(name), error)
        }
    }

    /// Gives a file another name; this is durable with the next ``synchronize()``.
    func rename(_ name: String, to newName: String) throws(LayerStoreError) {
        do {
            try move(name, to: newName)
        } catch {
            throw Self.failure("rename", path.appending(name), error)
        }
    }

    /// Removes a file if it exists; this is durable with the next ``synchronize()``.
    ///
    /// - Returns: Whether it existed.
    @discardableResult
    func remove(_ name: String) throws(LayerStoreError) -> Bool {
        do {
            try unsafe check(unlinkat(descriptor.rawValue, name, 0))
            return true
        } catch Errno.noSuchFileOrDirectory {
            return false
        } catch {
            throw Self.failure("remove", path.appending(name), error)
        }
    }

    /// Makes everything that was done to names durable.
    func synchronize() throws(LayerStoreError) {
        do {
            try check(fsync(descriptor.rawValue))
        } catch {
            throw Self.failure("synchronise", path, error)
        }
    }

    /// The names of what interrupted writes left behind.
    func temporaryNames() throws(LayerStoreError) -> [String] {
        try allNames().filter { $0.hasPrefix(Self.temporaryPrefix) }
    }

    /// Removes what interrupted writes left behind.
    func removeTemporaryFiles() throws(LayerStoreError) {
        for name in try temporaryNames() { try remove(name) }
    }

    private func open(_ name: String, _ flags: CInt) throws(Errno) -> FileDescriptor {
        while true {
            let file = unsafe openat(descriptor.rawValue, name, flags | O_CLOEXEC, 0o600)
            if file >= 0 { return FileDescriptor(rawValue: file) }
            if errno != EINTR { throw Errno(rawValue: errno) }
        }
    }

    private func move(_ name: String, to newName: String) throws(Errno) {
        try unsafe check(renameat(descriptor.rawValue, name, descriptor.rawValue, newName))
    }

    private func check(_ result: CInt) throws(Errno) {
        if result != 0 { throw Errno(rawValue: errno) }
    }

    private static func failure(_ verb: String, _ path: FilePath, _ error: any Error) -> LayerStoreError {
        let isFull = [Errno.noSpace, .diskQuotaExceeded].contains(error as? Errno)
        let advice = isFull ? "; free space on the file system of the root and try again" : ""
        return LayerStoreError(
            isFull ? .notEnoughSpace : .failed, "cannot \(verb) \(path): \(error)\(advice)", underlying: error)
    }
}
