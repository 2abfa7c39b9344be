#if Daemon
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import SystemPackage

/// A unix socket that listens at a path, for one user.
enum SocketFile {
    /// Listens at `path`, whose file only the service's own user can open.
    ///
    /// A file that a process which died has left there is replaced; one that somebody listens at is not.
    static func listen(_ path: FilePath, _ bootstrap: ServerBootstrap) throws -> any Channel {
        if try isLive(path) {
            throw SnapshotterError(.failedPrecondition, "somebody listens at \(path) already; stop that first")
        }
        if unsafe unlink(path.string) != 0, errno != ENOENT {
            throw SnapshotterError(.internal, "cannot replace \(path): \(Errno(rawValue: errno))")
        }
        // From its first moment nobody else can open it.
        let previous = umask(0o177)
        defer { umask(previous) }
        do {
            return try bootstrap.bind(unixDomainSocketPath: path.string).wait()
        } catch {
            throw SnapshotterError(.internal, "cannot listen at \(path): \(error)")
        }
    }

    private static func isLive(_ path: FilePath) throws(SnapshotterError) -> Bool {
        var status = stat()
        guard unsafe lstat(path.string, &status) == 0 else { return false }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw SnapshotterError(.failedPrecondition, "\(path) is there and is no socket; name another path")
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.string.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw SnapshotterError(.invalidArgument, "\(path) is too long for a socket")
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe connect(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }
}
#endif
