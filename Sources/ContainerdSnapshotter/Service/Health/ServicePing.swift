#if Daemon
internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2
internal import NIOPosix
public import SystemPackage

/// Asks a running service whether it answers calls, by gRPC's health checking protocol.
public enum ServicePing {
    /// Calls the service once and waits for its answer.
    ///
    /// The call needs no lock of the store, so an answer does not say that the store or its pool is in order.
    ///
    /// - Parameters:
    ///   - socket: The socket of the service.
    ///   - patience: How long to wait for the connection and the answer, each.
    /// - Throws: ``SnapshotterError`` when nothing listens at the socket, when the caller may not use it, or when no answer
    ///   comes in time.
    public static func call(_ socket: FilePath, patience: Duration) throws(SnapshotterError) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        // The answer is known by then. A thread that cannot be ended goes with the process.
        defer { try? group.syncShutdownGracefully() }
        let aCentury = 3.2e18
        let limit = TimeAmount.nanoseconds(Int64(min(patience / .nanoseconds(1), aCentury)))
        let channel = try connect(group, socket, limit)
        let status = begin(on: channel, limit)
        let answer: String
        do {
            answer = try status.wait()
        } catch ChannelError.connectTimeout {
            throw SnapshotterError(
                .unavailable,
                "the service at \(socket) took the connection and gave no answer in \(patience); its log may say why: "
                    + "journalctl -u dmlayer-snapshotter")
        } catch {
            throw SnapshotterError(
                .unavailable, "the service at \(socket) closed the connection without an answer; it may just be ending")
        }
        guard answer == "0" else {
            throw SnapshotterError(
                .unavailable,
                "the process at \(socket) answered with gRPC's status \(answer): it is no “dmlayer serve” of this version"
            )
        }
    }

    private static func connect(
        _ group: MultiThreadedEventLoopGroup, _ socket: FilePath, _ limit: TimeAmount
    ) throws(SnapshotterError) -> any Channel {
        do {
            return try ClientBootstrap(group: group).connectTimeout(limit).channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
                        mode: .client, connectionConfiguration: .init(), streamConfiguration: .init()
                    ) { $0.eventLoop.makeSucceededVoidFuture() }
                }
            }.connect(unixDomainSocketPath: socket.string).wait()
        } catch let error as IOError {
            throw unreachable(socket, Errno(rawValue: error.errnoCode))
        } catch {
            throw SnapshotterError(
                .unavailable,
                "no service answers at \(socket): there is no connection within the time limit, or the path is too long for a socket"
            )
        }
    }

    /// Begins the call on a stream of its own; the result is gRPC's status.
    private static func begin(on channel: any Channel, _ limit: TimeAmount) -> EventLoopFuture<String> {
        let status = channel.eventLoop.makePromise(of: String.self)
        channel.eventLoop.scheduleTask(in: limit) { status.fail(ChannelError.connectTimeout(limit)) }
        channel.pipeline.handler(type: NIOHTTP2Handler.self).flatMap { $0.multiplexer }.whenComplete { result in
            switch result {
            case .failure(let error): status.fail(error)
            case .success(let multiplexer):
                multiplexer.createStreamChannel(promise: nil) { stream in
                    stream.eventLoop.makeCompletedFuture {
                        try stream.pipeline.syncOperations.addHandler(AnswerHandler(status))
                    }
                }
            }
        }
        return status.futureResult
    }

    private static func unreachable(_ socket: FilePath, _ error: Errno) -> SnapshotterError {
        let reason =
            switch error {
            case .noSuchFileOrDirectory, .connectionRefused:
                "nothing listens at \(socket); start “dmlayer serve”, or name its socket with --socket"
            case .permissionDenied: "only root and the service's own user may call \(socket)"
            default: "cannot reach \(socket): \(error)"
            }
        return SnapshotterError(.unavailable, reason)
    }
}

/// Sends the request when its stream is open, and takes gRPC's status out of the headers behind the answer.
private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private let status: EventLoopPromise<String>

    init(_ status: EventLoopPromise<String>) {
        self.status = status
    }

    func channelActive(context: ChannelHandlerContext) {
        let headers = HPACKHeaders([
            (":method", "POST"), (":scheme", "http"), (":path", "/\(HealthMethods.service)/Check"),
            (":authority", "localhost"), ("content-type", "application/grpc"), ("te", "trailers"),
        ])
        context.write(wrapOutboundOut(.headers(.init(headers: headers))), promise: nil)
        // A message of no bytes behind its head: not compressed, and its length.
        let message = ByteBuffer(bytes: [0, 0, 0, 0, 0])
        context.writeAndFlush(wrapOutboundOut(.data(.init(data: .byteBuffer(message), endStream: true))), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .headers(let frame) = unwrapInboundIn(data), let code = frame.headers.first(name: "grpc-status")
        else { return }
        status.succeed(code)
    }

    func channelInactive(context: ChannelHandlerContext) {
        status.fail(ChannelError.eof)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        status.fail(error)
    }
}
#endif
