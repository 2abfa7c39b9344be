#if Daemon
internal import SystemCalls
internal import SystemPackage

/// The socket that a service manager hands over to the service, by systemd's protocol (sd_listen_fds(3)).
///
/// The manager keeps the socket while the service is started again. A client that comes meanwhile waits in the kernel's queue of
/// connections, and is not refused.
struct ActivationSocket {
    /// The number from which on systemd hands descriptors over.
    private static let first: CInt = 3

    let descriptor: CInt
    /// The path at which the manager listens.
    let path: FilePath

    /// Finds the socket.
    ///
    /// - Returns: `nil` when no service manager has handed a socket over to this process.
    /// - Throws: ``SnapshotterError/Code/failedPrecondition`` when there are several, or when it is no unix socket that listens.
    static func find() throws(SnapshotterError) -> ActivationSocket? {
        // Child processes inherit the variables. LISTEN_PID names the process that they are meant for.
        guard number("LISTEN_PID") == getpid(), let count = number("LISTEN_FDS"), count > 0 else { return nil }
        guard count == 1 else {
            throw SnapshotterError(
                .failedPrecondition,
                "the service manager hands over \(count) sockets, and the service takes one: leave one ListenStream= in its "
                    + "unit")
        }
        guard isListening(first), let path = path(of: first) else {
            throw SnapshotterError(
                .failedPrecondition,
                "the service manager hands over a descriptor that is not a listening unix socket with a path: its unit needs "
                    + "ListenStream=/run/dmlayer/snapshotter.sock and Accept=no")
        }
        _ = fcntl(first, F_SETFD, FD_CLOEXEC)
        return ActivationSocket(descriptor: first, path: path)
    }

    private static func number(_ variable: String) -> CInt? {
        unsafe getenv(variable).flatMap { unsafe CInt(String(cString: $0)) }
    }

    private static func isListening(_ descriptor: CInt) -> Bool {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        return unsafe getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value == 1
    }

    private static func path(of descriptor: CInt) -> FilePath? {
        var address = sockaddr_un()
        var length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe getsockname(descriptor, pointer, &length)
            }
        }
        guard status == 0, address.sun_family == sa_family_t(AF_UNIX) else { return nil }
        let bytes = unsafe withUnsafeBytes(of: &address.sun_path) { unsafe Array($0.prefix { $0 != 0 }) }
        return bytes.isEmpty ? nil : FilePath(String(decoding: bytes, as: UTF8.self))
    }
}
#endif
