#if Daemon
internal import LayerStore
internal import NIOCore
internal import NIOHTTP2
internal import Synchronization

/// The service's connections: gRPC over HTTP/2 without TLS, and so without any cryptography.
///
/// The kernel says which user a peer is.
final class Connections: Sendable {
    /// How long the end waits for calls that are under way.
    private static let patience = Duration.seconds(60)
    /// How long a client may take to close its connection after the last answer.
    private static let closingTime = Duration.seconds(2)

    let dispatcher: CallDispatcher
    private let state = Mutex(State())
    private let change = Semaphore()

    private struct State {
        var isEnding = false
        var calls = 0
        var channels: [ObjectIdentifier: any Channel] = [:]
    }

    init(_ dispatcher: CallDispatcher) {
        self.dispatcher = dispatcher
    }

    /// Sets a new connection up; called on its event loop.
    func accept(_ channel: any Channel) throws {
        let identifier = ObjectIdentifier(channel)
        let isEnding = state.withLock { state in
            state.channels[identifier] = channel
            return state.isEnding
        }
        channel.closeFuture.whenComplete { _ in
            self.state.withLock { _ = $0.channels.removeValue(forKey: identifier) }
            self.change.signal()
        }
        guard !isEnding else { throw ChannelError.ioOnClosedChannel }
        try Self.configure(channel) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(CallHandler(self))
            }
        }
    }

    private static func configure(_ channel: any Channel, _ call: @escaping NIOChannelInitializer) throws {
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: 1000),
            HTTP2Setting(parameter: .maxHeaderListSize, value: 16 << 10),
        ]
        // A client that takes many calls back, or asks for its way often, is no attacker here: the kernel has said who it
        // is. To end its connection would make it send again what may have been done already.
        connection.maximumConnectionGlitches = .max
        var stream = NIOHTTP2Handler.StreamConfiguration()
        stream.streamResetFrameRateLimit.maximumCount = .max
        stream.streamErrorRateLimit.maximumCount = .max
        connection.controlFrameRateLimit.maximumCount = .max
        let ending = NIOHTTP2ServerConnectionManagementHandler(
            eventLoop: channel.eventLoop,
            configuration: .init(maxIdleTime: nil, maxAge: nil, maxGraceTime: nil, keepalive: nil))
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(ConnectionEndHandler())
        _ = try pipeline.configureHTTP2Pipeline(
            mode: .server, connectionConfiguration: connection, streamConfiguration: stream,
            streamDelegate: ending.http2StreamDelegate, inboundStreamInitializer: call)
        try pipeline.addHandler(ending)
    }

    /// How many calls are under way.
    var calls: Int { state.withLock { $0.calls } }

    // MARK: The end

    /// Tells the clients that no call shall begin any more, answers the calls that are under way, and closes all
    /// connections.
    func drain() {
        let channels = state.withLock { state in
            state.isEnding = true
            return Array(state.channels.values)
        }
        for channel in channels { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
        let end = ContinuousClock.now.advanced(by: Self.patience)
        repeat {
            wait(until: end) { $0.calls == 0 }
            // A call whose request was on its way may still begin.
            wait(until: min(end, .now.advanced(by: Self.closingTime))) { $0.calls > 0 || $0.channels.isEmpty }
        } while calls > 0 && ContinuousClock.now < end
        // The first close is for writing only; the second one closes the connections of clients that keep theirs.
        for _ in 0..<2 {
            for channel in state.withLock({ Array($0.channels.values) }) { channel.close(promise: nil) }
            wait(until: .now.advanced(by: Self.closingTime)) { $0.channels.isEmpty }
        }
    }

    private func wait(until end: ContinuousClock.Instant, _ isReached: (borrowing State) -> Bool) {
        while !state.withLock({ isReached($0) }), ContinuousClock.now < end { change.wait(seconds: 1) }
    }

    /// Says that a call is under way.
    func beginCall() {
        state.withLock { $0.calls += 1 }
        change.signal()
    }

    /// Says that the answer to a call has been written, or that no client waits for it.
    func endCall() {
        state.withLock { $0.calls -= 1 }
        change.signal()
    }
}

/// Ends a connection so that the client gets all that was written to it.
///
/// It stands next to the socket. A client that writes to a socket that is closed gets `EPIPE`, and then may throw away answers that it
/// has not read, although the calls were carried out. So the first close is for writing only: the client reads up to the end and
/// closes the connection, and the service reads all that it still sends. A second close is for both directions.
///
/// A connection on which the service has given up is closed at once: behind a GOAWAY with an error no frame can be understood, and
/// nothing that arrives afterwards is kept.
private final class ConnectionEndHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = IOData

    private var isBroken = false
    private var isClosedForWriting = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if !isBroken { context.fireChannelRead(data) }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        context.write(data, promise: promise)
        guard !isBroken, case .byteBuffer(let frame) = unwrapOutboundIn(data), Self.isFailure(frame) else { return }
        isBroken = true
        context.flush()
        // Not from within the frame that the HTTP/2 handler is looking at.
        context.eventLoop.assumeIsolated().execute { context.close(promise: nil) }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .all, !isBroken, !isClosedForWriting else { return context.close(mode: mode, promise: promise) }
        isClosedForWriting = true
        context.close(mode: .output, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // An error of the socket; those of HTTP/2 arise behind this handler.
        context.close(promise: nil)
    }

    /// Whether a frame, each of which is written by itself, is a GOAWAY with an error: RFC 9113, sections 4.1 and 6.8.
    private static func isFailure(_ frame: ByteBuffer) -> Bool {
        let start = frame.readerIndex
        let (type, code): (UInt8?, UInt32?) = (frame.getInteger(at: start + 3), frame.getInteger(at: start + 13))
        let stream: UInt32? = frame.getInteger(at: start + 5)
        return type == 7 && stream == 0 && code != nil && code != 0
    }
}
#endif
