#if Daemon
internal import GRPCCore
internal import Glibc
internal import NIOCore
internal import NIOHTTP2
internal import NIOPosix
internal import Synchronization

/// gRPC over HTTP/2 on a unix socket, without TLS and so without any cryptography: the peer is known by its user.
final class UnixSocketTransport: ServerTransport {
    typealias Bytes = [UInt8]
    typealias StreamHandler = @Sendable (RPCStream<Inbound, Outbound>, ServerContext) async -> Void

    /// How long the end waits for the calls that are under way.
    private static let patience = Duration.seconds(60)

    private let listener: any Channel
    private let connections: Connections
    private let state = Mutex(State())

    private struct State {
        var isEnding = false
        var calls = 0
        var connections: [ObjectIdentifier: any Channel] = [:]
    }

    /// Takes over a socket that listens and does not accept yet.
    ///
    /// - Parameters:
    ///   - listener: The socket.
    ///   - connections: What the socket hands its connections to.
    init(_ listener: any Channel, _ connections: Connections) {
        self.listener = listener
        self.connections = connections
    }

    /// Where a listening socket hands its connections to.
    final class Connections: Sendable {
        fileprivate let handler = Mutex<(@Sendable (any Channel) throws -> Void)?>(nil)

        /// Sets a new connection up; called on its event loop.
        func accept(_ channel: any Channel) throws {
            guard let handler = handler.withLock({ $0 }) else { throw ChannelError.ioOnClosedChannel }
            try handler(channel)
        }
    }

    func listen(streamHandler: @escaping StreamHandler) async throws {
        connections.handler.withLock { handler in
            handler = { channel in try self.serve(channel, streamHandler) }
        }
        try await listener.setOption(.autoRead, value: true).get()
        listener.read()
        try await listener.closeFuture.get()
        // Nothing new begins; what is under way ends, and its answers are sent.
        let deadline = ContinuousClock.now.advanced(by: Self.patience)
        while state.withLock({ $0.calls }) > 0, ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(10))
        }
        for connection in state.withLock({ $0.connections.values.map(\.self) }) {
            try? await connection.close().get()
        }
    }

    func beginGracefulShutdown() {
        state.withLock { $0.isEnding = true }
        listener.close(promise: nil)
    }

    private func serve(_ channel: any Channel, _ handler: @escaping StreamHandler) throws {
        let identifier = ObjectIdentifier(channel)
        state.withLock { $0.connections[identifier] = channel }
        channel.closeFuture.whenComplete { _ in
            self.state.withLock { _ = $0.connections.removeValue(forKey: identifier) }
        }
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: 1000),
            HTTP2Setting(parameter: .maxHeaderListSize, value: 16 << 10),
        ]
        // A client that takes many calls back, or asks for its way often, is no attacker here: the kernel has said who it is. To
        // end its connection would make it send again what may have been done already.
        connection.maximumConnectionGlitches = .max
        var stream = NIOHTTP2Handler.StreamConfiguration()
        stream.streamResetFrameRateLimit.maximumCount = .max
        stream.streamErrorRateLimit.maximumCount = .max
        connection.controlFrameRateLimit.maximumCount = .max
        _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
            mode: .server, connectionConfiguration: connection, streamConfiguration: stream
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(CallHandler(self, handler))
            }
        }
    }

    // MARK: Calls

    /// Says that a call begins.
    ///
    /// - Returns: Whether it may.
    func beginCall() -> Bool {
        state.withLock { state in
            guard !state.isEnding else { return false }
            state.calls += 1
            return true
        }
    }

    /// Says that the answer to a call has been sent, or that nobody waits for it.
    func endCall() {
        state.withLock { $0.calls -= 1 }
    }
}
#endif
