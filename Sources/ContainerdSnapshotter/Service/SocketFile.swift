#if Daemon
internal import NIOCore
internal import NIOPosix
internal import SystemCalls
internal import SystemPackage

/// A unix socket that listens at a path, for one user.
enum SocketFile {
    /// The longest path in bytes that fits into the kernel's address, which ends with a zero.
    static let longestPath = MemoryLayout<sockaddr_un>.size - MemoryLayout<sa_family_t>.size - 1
    /// How many connections may wait to be accepted.
    private static let backlog: CInt = 256

    /// Listens at `path`, whose file only the service's own user can open.
    ///
    /// A file that a process which died has left there is replaced; one that a process listens at is not.
    ///
    /// - Throws: ``SnapshotterError`` with a remedy.
    static func listen(_ path: FilePath, _ bootstrap: ServerBootstrap) throws(SnapshotterError) -> any Channel {
        try listen(bind(path), path, bootstrap)
    }

    /// Accepts connections at a socket that listens already.
    static func listen(
        _ descriptor: CInt, _ path: FilePath, _ bootstrap: ServerBootstrap
    ) throws(SnapshotterError) -> any Channel {
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
        let descriptor = try makeSocket(for: path)
        do throws(Errno) {
            // No other user can open the file from the moment at which it appears.
            let previous = umask(0o177)
            defer { umask(previous) }
            try systemCall { unsafe with(&address) { unsafe SystemCalls.bind(descriptor, $0, $1) } }
            try systemCall { SystemCalls.listen(descriptor, backlog) }
        } catch {
            close(descriptor)
            throw failure(path, error)
        }
        return descriptor
    }

    private static func makeSocket(for path: FilePath) throws(SnapshotterError) -> CInt {
        do throws(Errno) {
            return try systemCall { socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0) }
        } catch {
            throw failure(path, error)
        }
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
        let status: Stat
        do {
            status = try Stat(path, followTargetSymlink: false)
        } catch Errno.noSuchFileOrDirectory {
            return try requireFolder(path)
        } catch {
            throw failure(path, error)
        }
        guard status.type == .socket else {
            throw SnapshotterError(
                .failedPrecondition, "cannot listen at \(path): it is there and is no socket; name another path")
        }
        let probe = try makeSocket(for: path)
        defer { close(probe) }
        let isLive = unsafe with(&address) { pointer, length in unsafe connect(probe, pointer, length) == 0 }
        guard !isLive else {
            throw SnapshotterError(
                .failedPrecondition,
                "cannot listen at \(path): \(listener(probe)) listens there already; stop it first, or name another path"
            )
        }
        do throws(Errno) {
            try systemCall { unsafe unlink(path.string) }
        } catch .noSuchFileOrDirectory {
            // Another process removed the file first.
        } catch {
            throw failure(path, error)
        }
    }

    private static func requireFolder(_ path: FilePath) throws(SnapshotterError) {
        let folder = path.removingLastComponent()
        guard !folder.isEmpty else { return }
        do throws(Errno) {
            _ = try Stat(folder, followTargetSymlink: false)
            return
        } catch .noSuchFileOrDirectory {
            // The error below names the folder.
        } catch {
            return
        }
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
        // A process that has ended has no name; the message has its number only.
        guard let file = try? FileDescriptor.open(FilePath("/proc/\(process)/comm"), .readOnly) else { return nil }
        defer { try? file.close() }  // Nothing was written, so nothing is lost.
        var bytes = [UInt8](repeating: 0, count: 64)
        // The same holds for a process that ends between the two calls.
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
