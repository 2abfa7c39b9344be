internal import CShims
internal import Synchronization
internal import SystemCalls
package import SystemPackage

/// A directory of small files that are replaced as a whole.
///
/// When ``write(_:_:)`` returns, the file and its name are on the disk; a crash leaves the old content or the new one. A
/// write costs one synchronisation on ext4 and XFS, and two on other file systems.
package final class DurableDirectory: Sendable {
    package let path: FilePath
    private let descriptor: FileDescriptor
    /// Whether synchronising a file also makes earlier changes of names durable.
    ///
    /// ext4 and XFS have one ordered journal, and a rename also changes the inode of the file. Synchronising the inode
    /// therefore makes the rename durable. POSIX does not promise this.
    private let isOrderedByJournal: Bool

    /// The size of the largest file that is read; the store's own files have a few hundred bytes.
    private static let largestFile = 1 << 20
    /// More bytes than the store's own files have, so that one system call reads a file.
    private static let usualLength = 1024
    private static let temporaryPrefix = ".tmp"
    /// The number of the next temporary file.
    ///
    /// The first one is random, so that no other process uses the same numbers.
    private static let temporaryNumber = Atomic(UInt64.random(in: .min ... .max))

    /// Makes a directory that only root can enter, and its missing parents, which all can.
    package static func make(_ path: FilePath) throws(LayerStoreError) {
        try StoreDirectory.makeDirectory(path, mode: 0o700)
    }

    package init(_ path: FilePath) throws(LayerStoreError) {
        self.path = path
        do {
            descriptor = try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec])
        } catch {
            throw Self.failure("open", path, error)
        }
        // A file system that does not say what it is counts as another one, which is synchronised more.
        var isKnown: CInt = 0
        isOrderedByJournal = unsafe dmshim_is_ext4_or_xfs(descriptor.rawValue, &isKnown) == 0 && isKnown != 0
    }

    deinit {
        // Nothing was written through this descriptor.
        try? descriptor.close()
    }

    /// The names of all files, without directories and without the temporary files of interrupted writes.
    package func names() throws(LayerStoreError) -> [String] {
        try allNames().filter { !$0.hasPrefix(Self.temporaryPrefix) }
    }

    private func allNames() throws(LayerStoreError) -> [String] {
        do {
            return try Self.names(in: open(".", O_RDONLY | O_DIRECTORY))
        } catch {
            throw Self.failure("list", path, error)
        }
    }

    /// The names of all files in an open directory, which is closed.
    ///
    /// - Throws: The error number. A listing that ends early is never returned: a layer that is missing from it would count
    ///   as removed.
    static func names(in directory: FileDescriptor) throws(Errno) -> [String] {
        guard let stream = try unsafe pointerCall({ unsafe fdopendir(directory.rawValue) }) else {
            throw .badFileDescriptor
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = try unsafe pointerCall({ unsafe readdir(stream) }) {
            guard unsafe entry.pointee.d_type != UInt8(DT_DIR) else { continue }
            names.append(
                unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names
    }

    /// The content of a file, or `nil` when there is no file of this name.
    ///
    /// - Parameters:
    ///   - name: The name of the file.
    ///   - followsLink: Whether the file may be a symbolic link. Only a file that the user names may be one.
    package func read(_ name: String, followsLink: Bool = false) throws(LayerStoreError) -> [UInt8]? {
        let file: FileDescriptor
        do {
            file = try open(name, O_RDONLY | O_NONBLOCK | (followsLink ? 0 : O_NOFOLLOW))
        } catch .noSuchFileOrDirectory {
            return nil
        } catch {
            throw Self.failure("open", path.appending(name), error)
        }
        // Nothing was written through this descriptor.
        defer { try? file.close() }
        do {
            var content: [UInt8] = []
            while true {
                let room = max(Self.usualLength, content.count)
                let piece = try unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                    count = unsafe try file.read(into: UnsafeMutableRawBufferPointer(buffer))
                }
                content = content.isEmpty ? piece : content + piece
                // A short read of a regular file is at its end. This saves the system call that would read nothing.
                if piece.count < room { return content }
                guard content.count <= Self.largestFile else { throw Errno.fileTooLarge }
            }
        } catch {
            throw Self.failure("read", path.appending(name), error)
        }
    }

    /// Makes `content` the content of a file, durably.
    ///
    /// - Throws: ``LayerStoreError``: `invalidOption` for more bytes than ``read(_:followsLink:)`` reads.
    package func write(_ name: String, _ content: [UInt8]) throws(LayerStoreError) {
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
                // fsync has told every error of a write before this.
                defer { try? file.close() }
                try file.writeAll(content)
                if isOrderedByJournal {
                    // The content must have its blocks before the journal can commit the new name.
                    try requireSuccess(dmshim_write_out(file.rawValue))
                    try move(temporary, to: name)
                    try systemCall { fsync(file.rawValue) }
                } else {
                    try systemCall { fsync(file.rawValue) }
                    try move(temporary, to: name)
                    try systemCall { fsync(descriptor.rawValue) }
                }
            }
        } catch {
            // The error of the write counts. A file that stays is removed by removeTemporaryFiles().
            _ = unsafe unlinkat(descriptor.rawValue, temporary, 0)
            throw Self.failure("write", path.appending(name), error)
        }
    }

    /// Makes an empty file, whose name is its meaning.
    ///
    /// It is durable after the next ``synchronize()``.
    func mark(_ name: String) throws(LayerStoreError) {
        do {
            try open(name, O_WRONLY | O_CREAT).close()
        } catch {
            throw Self.failure("create", path.appending(name), error)
        }
    }

    /// Gives a file another name.
    ///
    /// The change is durable after the next ``synchronize()``.
    func rename(_ name: String, to newName: String) throws(LayerStoreError) {
        do {
            try move(name, to: newName)
        } catch {
            throw Self.failure("rename", path.appending(name), error)
        }
    }

    /// Removes a file if it exists.
    ///
    /// The removal is durable after the next ``synchronize()``.
    ///
    /// - Returns: Whether it existed.
    @discardableResult
    package func remove(_ name: String) throws(LayerStoreError) -> Bool {
        do {
            try systemCall { unsafe unlinkat(descriptor.rawValue, name, 0) }
            return true
        } catch Errno.noSuchFileOrDirectory {
            return false
        } catch {
            throw Self.failure("remove", path.appending(name), error)
        }
    }

    /// Makes all earlier changes of names durable.
    package func synchronize() throws(LayerStoreError) {
        do {
            try systemCall { fsync(descriptor.rawValue) }
        } catch {
            throw Self.failure("synchronise", path, error)
        }
    }

    /// Writes all of the file system that the directory is in to the disk.
    package func synchronizeFilesystem() throws(LayerStoreError) {
        do {
            try requireSuccess(dmshim_sync_filesystem(descriptor.rawValue))
        } catch {
            throw Self.failure("write to the disk the file system of", path, error)
        }
    }

    /// The names of the temporary files of interrupted writes.
    func temporaryNames() throws(LayerStoreError) -> [String] {
        try allNames().filter { $0.hasPrefix(Self.temporaryPrefix) }
    }

    /// Removes the temporary files of interrupted writes.
    package func removeTemporaryFiles() throws(LayerStoreError) {
        for name in try temporaryNames() { try remove(name) }
    }

    private func open(_ name: String, _ flags: CInt) throws(Errno) -> FileDescriptor {
        FileDescriptor(
            rawValue: try systemCall { unsafe openat(descriptor.rawValue, name, flags | O_CLOEXEC, 0o600) })
    }

    private func move(_ name: String, to newName: String) throws(Errno) {
        try systemCall { unsafe renameat(descriptor.rawValue, name, descriptor.rawValue, newName) }
    }

    private static func failure(_ verb: String, _ path: FilePath, _ error: any Error) -> LayerStoreError {
        let isFull = [Errno.noSpace, .diskQuotaExceeded].contains(error as? Errno)
        let advice = isFull ? "; free space on the file system of the root and try again" : ""
        return LayerStoreError(
            isFull ? .notEnoughSpace : .failed, "cannot \(verb) \(path): \(error)\(advice)", underlying: error)
    }
}
