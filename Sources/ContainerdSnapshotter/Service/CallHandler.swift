#if Daemon
internal import GRPCCore
internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2

/// One call: takes the request out of the frames of an HTTP/2 stream, and runs the call's handler.
final class CallHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private let transport: UnixSocketTransport
    private let handler: UnixSocketTransport.StreamHandler
    private var messages = MessageReader()
    private var request: AsyncThrowingStream<RPCRequestPart<[UInt8]>, any Error>.Continuation?
    private var cancellation: ServerContext.RPCCancellationHandle?

    init(_ transport: UnixSocketTransport, _ handler: @escaping UnixSocketTransport.StreamHandler) {
        self.transport = transport
        self.handler = handler
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let frame):
            if request == nil { begin(frame.headers, context) }
            if frame.endStream { request?.finish() }
        case .data(let frame):
            guard let request, case .byteBuffer(let bytes) = frame.data else { return }
            do {
                for message in try messages.read(bytes) { request.yield(.message(message)) }
                if frame.endStream {
                    try messages.finish()
                    request.finish()
                }
            } catch {
                request.finish(throwing: error)
            }
        default: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        // After the answer this has no effect; before it, the client does not want it any more.
        cancellation?.cancel()
        request?.finish(throwing: RPCError(code: .cancelled, message: "the client has ended the call"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func begin(_ headers: HPACKHeaders, _ context: ChannelHandlerContext) {
        let writer = CallWriter(context.channel)
        guard headers.first(name: ":method") == "POST",
            headers.first(name: "content-type")?.hasPrefix("application/grpc") == true
        else {
            let refusal = HPACKHeaders([(":status", "415")])
            let frame = HTTP2Frame.FramePayload.headers(.init(headers: refusal, endStream: true))
            return context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
        }
        let path = headers.first(name: ":path").map { $0.split(separator: "/", omittingEmptySubsequences: false) } ?? []
        guard path.count == 3, path[0].isEmpty else {
            return writer.refuse(.unimplemented, "“\(headers.first(name: ":path") ?? "")” is the path of no method")
        }
        guard transport.beginCall() else { return writer.refuse(.unavailable, "the service ends") }
        let method = MethodDescriptor(fullyQualifiedService: String(path[1]), method: String(path[2]))
        let (parts, request) = AsyncThrowingStream.makeStream(of: RPCRequestPart<[UInt8]>.self)
        self.request = request
        var metadata = Metadata()
        for header in headers where !header.name.hasPrefix(":") && !header.name.hasSuffix("-bin") {
            metadata.addString(header.value, forKey: header.name)
        }
        request.yield(.metadata(metadata))
        let cancellation = ServerContext.RPCCancellationHandle()
        self.cancellation = cancellation
        let stream = RPCStream(
            descriptor: method, inbound: RPCAsyncSequence(wrapping: parts),
            outbound: RPCWriter.Closable(wrapping: writer))
        Task(executorPreference: EventLoopExecutor(context.eventLoop)) { [transport, handler] in
            await handler(
                stream,
                ServerContext(descriptor: method, remotePeer: "unix:", localPeer: "unix:", cancellation: cancellation))
            await writer.finish()
            transport.endCall()
        }
    }
}

/// Takes messages out of what arrives, each of which has its length before it.
struct MessageReader {
    /// containerd's own limit.
    static let longest = 16 << 20
    private static let prefixLength = 5

    private var buffer = ByteBuffer()

    /// The messages that are complete now.
    ///
    /// - Throws: `RPCError` for a message that is compressed, or too long.
    mutating func read(_ bytes: ByteBuffer) throws -> [[UInt8]] {
        buffer.writeImmutableBuffer(bytes)
        var messages: [[UInt8]] = []
        while buffer.readableBytes >= Self.prefixLength,
            let compression: UInt8 = buffer.getInteger(at: buffer.readerIndex),
            let length: UInt32 = buffer.getInteger(at: buffer.readerIndex + 1)
        {
            guard compression == 0 else {
                throw RPCError(code: .unimplemented, message: "compressed messages are not taken")
            }
            guard Int(length) <= Self.longest else {
                throw RPCError(code: .resourceExhausted, message: "a message of \(length) bytes is too long")
            }
            guard buffer.readableBytes >= Self.prefixLength + Int(length) else { break }
            buffer.moveReaderIndex(forwardBy: Self.prefixLength)
            messages.append(buffer.readBytes(length: Int(length)) ?? [])
        }
        buffer.discardReadBytes()
        return messages
    }

    /// Checks that the end is the end of a message.
    func finish() throws {
        guard buffer.readableBytes == 0 else {
            throw RPCError(code: .internalError, message: "the request ends within a message")
        }
    }
}
#endif
