#if Daemon
internal import SystemCalls
internal import LayerStore
public import Logging
internal import NIOCore
internal import NIOPosix
public import SystemPackage

/// The service for containerd: a snapshotter behind a unix socket.
public final class SnapshotterServer: Sendable {
    /// How many calls are in the kernel at a time; each has a thread that may block there.
    public static let threads = 32

    /// The path of containerd's socket: the service manager's, where it has handed one over.
    public let socket: FilePath

    private let log: Logger
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    /// Figures are wanted most while all the other threads are taken.
    private let metricsPool = NIOThreadPool(numberOfThreads: 1)
    private let connections: Connections
    private let listener: any Channel
    private let metricsListeners: [any Channel]

    /// Listens at its sockets; calls are answered from ``run()`` on.
    ///
    /// - Parameters:
    ///   - snapshotter: The snapshotter that answers the calls.
    ///   - socket: The path of containerd's socket, which is not made where the service manager has handed over one. Only the
    ///     service's own user, and root, get an answer there.
    ///   - metricsSocket: The path of a socket with figures, for the same users, or `nil`.
    ///   - metricsAddress: The TCP address where Prometheus gets the figures, or `nil`.
    ///   - log: The log of the service.
    /// - Throws: ``SnapshotterError``.
    public init(
        _ snapshotter: Snapshotter, socket: FilePath, metricsSocket: FilePath? = nil,
        metricsAddress: MetricsAddress? = nil, log: Logger
    ) throws {
        self.log = log
        snapshotter.store.noteRemovalFailures { reason in
            log.warning(
                "the space of a removed layer cannot be freed; it is tried again", metadata: ["reason": "\(reason)"])
        }
        let (group, metricsPool, metrics) = (group, metricsPool, ServiceMetrics())
        let connections = Connections(
            CallDispatcher(
                [
                    SnapshotsMethods.service: SnapshotsMethods.all(snapshotter),
                    HealthMethods.service: HealthMethods.all,
                ], threads: Self.threads, metrics, log))
        self.connections = connections
        // It accepts when there is somebody to serve what it accepts.
        let acceptor = ServerBootstrap(group: group).serverChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                PeerIdentity.check(channel).flatMapThrowing { try connections.accept(channel) }
            }
        (self.socket, listener) = try Self.listen(socket, acceptor)
        let clients = MetricsHandler.Clients()
        let figures: @Sendable (any Channel) throws -> Void = { channel in
            try channel.pipeline.syncOperations.addHandler(
                MetricsHandler(clients, metricsPool) { metrics.text(snapshotter) })
        }
        let bootstrap = ServerBootstrap(group: group)
        var listeners: [any Channel] = []
        if let metricsSocket {
            let bootstrap = bootstrap.childChannelInitializer { channel in
                PeerIdentity.check(channel).flatMapThrowing { try figures(channel) }
            }
            listeners.append(try SocketFile.listen(metricsSocket, bootstrap))
        }
        if let metricsAddress {
            let bootstrap = bootstrap.childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try figures(channel) }
            }
            listeners.append(try metricsAddress.listen(bootstrap))
        }
        metricsListeners = listeners
    }

    /// Listens at the service manager's socket, where there is one, or at `path`.
    private static func listen(_ path: FilePath, _ bootstrap: ServerBootstrap) throws -> (FilePath, any Channel) {
        if let given = try ActivationSocket.find() {
            return (given.path, try SocketFile.listen(given.descriptor, given.path, bootstrap))
        }
        return (path, try SocketFile.listen(path, bootstrap))
    }

    /// Answers calls until the process is told to end by SIGTERM or SIGINT; calls that are under way then are answered.
    ///
    /// Those signals must be blocked in every thread: see ``blockSignals()``.
    public func run() {
        if !metricsListeners.isEmpty { metricsPool.start() }
        let listener = listener
        listener.setOption(.autoRead, value: true).whenSuccess { listener.read() }
        ReadinessNotice.send("READY=1")
        let signal = Self.awaitSignal()
        log.info("the service ends", metadata: ["signal": "\(signal)"])
        ReadinessNotice.send("STOPPING=1")
        for listener in metricsListeners { listener.close(promise: nil) }
        // A connection that was accepted is set up before the clients are told of the end. Those that come later wait for the
        // next start where a service manager has the socket. An error means that the listener was closed before.
        try? listener.close().flatMap { listener.eventLoop.submit {} }.wait()
        connections.drain()
    }

    /// Keeps the signals that end the service for ``run()``; to be called before there is any other thread.
    public static func blockSignals() {
        var signals = signalSet
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    private static var signalSet: sigset_t {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT, SIGPIPE] { unsafe sigaddset(&signals, signal) }
        return signals
    }

    private static func awaitSignal() -> CInt {
        var signals = signalSet
        unsafe sigdelset(&signals, SIGPIPE)
        var signal: CInt = 0
        while unsafe sigwait(&signals, &signal) != 0 {}
        return signal
    }
}
#endif
