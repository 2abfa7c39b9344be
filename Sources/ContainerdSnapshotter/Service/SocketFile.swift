#if Daemon
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import SystemPackage

/// A unix socket that listens at a path, for one user.
enum SocketFile {
    /// What fits into the kernel's address, which ends with a zero.
    static let longestPath = MemoryLayout<sockaddr_un>.size - MemoryLayout<sa_family_t>.size - 1
    /// How many connections may wait to be accepted.
    private static let backlog: CInt = 256

    /// Listens at `path`, whose file only the service's own user can open.
    ///
    /// A file that a process which died has left there is replaced; one that a process listens at is not.
    ///
    /// - Throws: ``SnapshotterError`` with what to do.
    static func listen(_ path: FilePath, _ bootstrap: ServerBootstrap) throws(SnapshotterError) -> any Channel {
        let descriptor = try bind(path)
        do {
            return try bootstrap.withBoundSocket(descriptor).wait()
        } catch {
            throw SnapshotterError(.internal, "cannot listen at \(path): the kernel refuses another socket to wait on")
        }
    }

    /// Makes a socket that listens at `path`.
    static func bind(_ path: FilePath) throws(SnapshotterError) -> CInt {
        var address = try address(path)
        try makePlace(path, &address)
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure(path, Errno(rawValue: errno)) }
        // From its first moment no other user can open it.
        let previous = umask(0o177)
        let isBound = unsafe with(&address) { pointer, length in unsafe Glibc.bind(descriptor, pointer, length) == 0 }
        let reason = Errno(rawValue: errno)
        umask(previous)
        guard isBound, Glibc.listen(descriptor, backlog) == 0 else {
            let reason = isBound ? Errno(rawValue: errno) : reason
            close(descriptor)
            throw failure(path, reason)
        }
        return descriptor
    }

    private static func address(_ path: FilePath) throws(SnapshotterError) -> sockaddr_un {
        let bytes = Array(path.string.utf8)
        guard !bytes.isEmpty else {
            throw SnapshotterError(.invalidArgument, "cannot listen at a socket without a path; name one")
        }
        guard bytes.count <= longestPath else {
            throw SnapshotterError(
                .invalidArgument,
                "cannot listen at \(path): the path has \(bytes.count) bytes, and that of a socket may have \(longestPath); "
                    + "name a shorter one")
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        return address
    }

    /// Takes away what a dead process has left at `path`.
    private static func makePlace(_ path: FilePath, _ address: inout sockaddr_un) throws(SnapshotterError) {
        var status = stat()
        guard unsafe lstat(path.string, &status) == 0 else {
            guard errno == ENOENT else { throw failure(path, Errno(rawValue: errno)) }
            return try requireFolder(path)
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw SnapshotterError(
                .failedPrecondition, "cannot listen at \(path): it is there and is no socket; name another path")
        }
        let probe = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { throw failure(path, Errno(rawValue: errno)) }
        defer { close(probe) }
        let isLive = unsafe with(&address) { pointer, length in unsafe connect(probe, pointer, length) == 0 }
        guard !isLive else {
            throw SnapshotterError(
                .failedPrecondition,
                "cannot listen at \(path): \(listener(probe)) listens there already; stop it first, or name another path"
            )
        }
        if unsafe unlink(path.string) != 0, errno != ENOENT { throw failure(path, Errno(rawValue: errno)) }
    }

    private static func requireFolder(_ path: FilePath) throws(SnapshotterError) {
        let folder = path.removingLastComponent()
        var status = stat()
        guard !folder.isEmpty, unsafe lstat(folder.string, &status) != 0, errno == ENOENT else { return }
        throw SnapshotterError(
            .failedPrecondition,
            "cannot listen at \(path): there is no folder \(folder); make it with: mkdir -p \(folder)")
    }

    /// The process that listens at the other end of a connection, as the kernel knows it.
    private static func listener(_ connection: CInt) -> String {
        // The kernel's struct ucred, which Swift does not import.
        var identity: (process: pid_t, user: uid_t, group: gid_t) = (0, 0, 0)
        var length = socklen_t(MemoryLayout.size(ofValue: identity))
        guard unsafe getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &identity, &length) == 0, identity.process > 0
        else {
            return "another process"
        }
        let name = processName(identity.process).map { " (\($0))" } ?? ""
        return identity.process == getpid() ? "this service itself" : "process \(identity.process)\(name)"
    }

    private static func processName(_ process: pid_t) -> String? {
        // A process that has ended meanwhile has no name; its number is said without one.
        guard let file = try? FileDescriptor.open(FilePath("/proc/\(process)/comm"), .readOnly) else { return nil }
        defer { try? file.close() }
        var bytes = [UInt8](repeating: 0, count: 64)
        guard let count = try? unsafe bytes.withUnsafeMutableBytes({ unsafe try file.read(into: $0) })
        else { return nil }
        return String(decoding: bytes[..<count].filter { $0 >= 0x20 }, as: UTF8.self)
    }

    private static func failure(_ path: FilePath, _ reason: Errno) -> SnapshotterError {
        let advice: String? =
            switch reason {
            case .permissionDenied, .notPermitted: "run the service as root, or name a path where this user may write"
            case .addressInUse: "another process has just begun to listen there; stop it first, or name another path"
            case .readOnlyFileSystem: "its file system is read-only; name another path"
            case .noSpace: "its file system is full; make space, or name another path"
            case .notDirectory: "a part of the path is no folder; name another path"
            case .noSuchFileOrDirectory: "its folder is missing; make it, or name another path"
            case .tooManyOpenFiles, .tooManyOpenFilesInSystem: "raise the limit of open files"
            default: nil
            }
        return SnapshotterError(.internal, "cannot listen at \(path): \(reason)" + (advice.map { "; \($0)" } ?? ""))
    }

    private static func with<Result>(
        _ address: inout sockaddr_un, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe body(pointer, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
#endif
