#if Daemon
internal import SystemCalls
internal import NIOCore

/// The process at the other end of a unix socket, as the kernel reports it (`SO_PEERCRED`).
struct PeerIdentity: Sendable {
    // The kernel's struct ucred, which Swift does not import.
    private var process: pid_t = 0
    private var user: uid_t = 0
    private var group: gid_t = 0

    /// Closes a connection of a user who may not have one: anybody but root and the user that the service runs as.
    static func check(_ channel: any Channel) -> EventLoopFuture<Void> {
        guard let options = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        let peer: EventLoopFuture<PeerIdentity> = options.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
        return peer.flatMapThrowing { peer in
            guard peer.user == 0 || peer.user == geteuid() else { throw ChannelError.operationUnsupported }
        }
    }
}
#endif
