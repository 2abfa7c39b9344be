internal import Glibc
internal import SystemPackage

/// A directory of small files that are replaced as a whole.
///
/// A file that has been written is on the disk, name included, when the call returns; a crash leaves the old content or
/// the new one. That costs two synchronisations: of the file's content and of the directory.
final class DurableDirectory: Sendable {
    let path: FilePath
    private let descriptor: FileDescriptor

    /// The largest file that is read: a file of ours has a few hundred bytes.
    private static let largestFile = 1 << 20
    private static let temporaryPrefix = ".tmp"

    init(_ path: FilePath) throws(LayerStoreError) {
        self.path = path
        do {
            descriptor = try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec])
        } catch {
            throw Self.failure("open", path, error)
        }
    }

    deinit {
        // Nothing was written through this descriptor.
        try? descriptor.close()
    }

    /// The names of all files, without directories and without what interrupted writes left behind.
    func names() throws(LayerStoreError) -> [String] {
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
        return names.filter { !$0.hasPrefix(Self.temporaryPrefix) }
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
            var content = [UInt8](repeating: 0, count: 4096)
            var length = 0
            while true {
                let count = try unsafe content.withUnsafeMutableBytes { buffer in
                    unsafe try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[length...]))
                }
                length += count
                if count == 0 { return Array(content[..<length]) }
                guard length <= Self.largestFile else { throw Errno.fileTooLarge }
                if length == content.count { content += [UInt8](repeating: 0, count: content.count) }
            }
        } catch {
            throw Self.failure("read", path.appending(name), error)
        }
    }

    /// Makes `content` the content of a file, durably.
    func write(_ name: String, _ content: [UInt8]) throws(LayerStoreError) {
        let temporary = "\(Self.temporaryPrefix)\(UInt64.random(in: .min ... .max))"
        do {
            let file = try open(temporary, O_WRONLY | O_CREAT | O_EXCL)
            do {
                defer { try? file.close() }
                try file.writeAll(content)
                try check(fsync(file.rawValue))
            }
            try unsafe check(renameat(descriptor.rawValue, temporary, descriptor.rawValue, name))
        } catch {
            _ = unsafe unlinkat(descriptor.rawValue, temporary, 0)
            throw Self.failure("write", path.appending(name), error)
        }
        try synchronize()
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
            try unsafe check(renameat(descriptor.rawValue, name, descriptor.rawValue, newName))
        } catch {
            throw Self.failure("rename", path.appending(name), error)
        }
    }

    /// Removes a file if it exists; this is durable with the next ``synchronize()``.
    func remove(_ name: String) throws(LayerStoreError) {
        do {
            try unsafe check(unlinkat(descriptor.rawValue, name, 0))
        } catch Errno.noSuchFileOrDirectory {
            return
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

    /// Removes what interrupted writes left behind.
    func removeTemporaryFiles() throws(LayerStoreError) {
        guard let stream = unsafe opendir(path.string) else { return }
        defer { unsafe closedir(stream) }
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(Self.temporaryPrefix) { try remove(name) }
        }
    }

    private func open(_ name: String, _ flags: CInt) throws(Errno) -> FileDescriptor {
        while true {
            let file = unsafe openat(descriptor.rawValue, name, flags | O_CLOEXEC, 0o600)
            if file >= 0 { return FileDescriptor(rawValue: file) }
            if errno != EINTR { throw Errno(rawValue: errno) }
        }
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
