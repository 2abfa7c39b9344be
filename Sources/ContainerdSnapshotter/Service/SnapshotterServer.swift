#if Daemon
internal import GRPCCore
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import Synchronization
public import SystemPackage

/// The service for containerd: a snapshotter behind a unix socket.
public final class SnapshotterServer: Sendable {
    /// How many calls are in the kernel at a time; each has a thread that may block there.
    public static let threads = 32

    private let snapshotter: Snapshotter
    private let log: ServiceLog
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let pool = NIOThreadPool(numberOfThreads: SnapshotterServer.threads)
    /// Figures are wanted most while all the other threads are taken.
    private let metricsPool = NIOThreadPool(numberOfThreads: 1)
    private let server: GRPCServer<UnixSocketTransport>
    private let metricsListeners: [any Channel]
    private let outcome = Mutex<Result<Void, any Error>?>(nil)

    /// Listens at its sockets; calls are answered from ``run()`` on.
    ///
    /// - Parameters:
    ///   - snapshotter: What answers.
    ///   - socket: The path of containerd's socket. Only the service's own user, and root, get an answer there.
    ///   - metricsSocket: The path of a socket with figures, for the same users, or `nil`.
    ///   - metricsAddress: The TCP address where Prometheus gets the figures, or `nil`.
    ///   - log: Where it says what happens.
    /// - Throws: ``SnapshotterError``.
    public init(
        _ snapshotter: Snapshotter, socket: FilePath, metricsSocket: FilePath? = nil,
        metricsAddress: MetricsAddress? = nil, log: ServiceLog
    ) throws {
        self.snapshotter = snapshotter
        self.log = log
        let (group, metricsPool, metrics) = (group, metricsPool, ServiceMetrics())
        let connections = UnixSocketTransport.Connections()
        // It accepts when there is somebody to serve what it accepts.
        let listener = try SocketFile.listen(
            socket,
            ServerBootstrap(group: group).serverChannelOption(.backlog, value: 256)
                .serverChannelOption(.autoRead, value: false)
                .childChannelInitializer { channel in
                    PeerIdentity.check(channel).flatMapThrowing { try connections.accept(channel) }
                })
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
        server = GRPCServer(
            transport: UnixSocketTransport(listener, connections),
            services: [SnapshotsService(snapshotter: snapshotter, threads: pool, log: log, metrics: metrics)])
    }

    /// Answers calls until the process is told to end by SIGTERM or SIGINT; calls that are under way then are answered.
    ///
    /// Those signals must be blocked in every thread: see ``blockSignals()``.
    public func run() throws {
        pool.start()
        if !metricsListeners.isEmpty { metricsPool.start() }
        // Only here anything asynchronous begins: a program whose main function is asynchronous starts slowly.
        Task {
            do {
                try await server.serve()
                finish(.success(()))
            } catch {
                finish(.failure(error))
            }
        }
        ReadinessNotice.send("READY=1")
        let signal = Self.awaitSignal()
        if outcome.withLock({ $0 }) == nil {
            log.note("the service ends", [(name: "signal", value: String(signal))])
        }
        ReadinessNotice.send("STOPPING=1")
        server.beginGracefulShutdown()
        for listener in metricsListeners { listener.close(promise: nil) }
        while outcome.withLock({ $0 }) == nil { usleep(5000) }
        try outcome.withLock { $0 }?.get()
    }

    private func finish(_ result: Result<Void, any Error>) {
        outcome.withLock { $0 = result }
        kill(getpid(), SIGTERM)
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
