#if Daemon
internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2

/// One call: takes the request out of the frames of an HTTP/2 stream, has it run, and writes the answer.
final class CallHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    /// An answer that is longer waits, after so many bytes, until the client has taken them.
    private static let longestBurst = 256 << 10

    private enum State {
        case awaitingHeaders
        case reading(CallMethod)
        case running(Call)
        /// The answer is written or the call is given up; what arrives is not kept.
        case ended
    }

    private let connections: Connections
    private var state = State.awaitingHeaders
    private var reader = MessageReader()
    private var deadline: Scheduled<Void>?
    /// Whether the client has sent all of its request.
    private var hasRequest = false
    private var isCounted = false

    init(_ connections: Connections) {
        self.connections = connections
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let frame):
            hasRequest = hasRequest || frame.endStream
            attempting(context) { () throws(SnapshotterError) in
                if case .awaitingHeaders = state { try begin(frame.headers, context) }
                if frame.endStream { try run(context) }
            }
        case .data(let frame):
            hasRequest = hasRequest || frame.endStream
            guard case .reading = state, case .byteBuffer(let bytes) = frame.data else { return }
            attempting(context) { () throws(SnapshotterError) in
                try reader.read(bytes)
                if frame.endStream { try run(context) }
            }
        default: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        let last = state
        state = .ended
        reader = MessageReader()
        if case .running(let call) = last { connections.dispatcher.leave(call, .cancelled) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    // MARK: The request

    private func attempting(_ context: ChannelHandlerContext, _ body: () throws(SnapshotterError) -> Void) {
        do {
            try body()
        } catch {
            finish(error, context)
        }
    }

    private func begin(_ headers: HPACKHeaders, _ context: ChannelHandlerContext) throws(SnapshotterError) {
        guard CallHeaders.beginCall(headers) else {
            state = .ended
            return write(CallHeaders.unsupportedMediaType, context)
        }
        guard let method = connections.dispatcher.method(headers.first(name: ":path") ?? "") else {
            throw SnapshotterError(.unimplemented, "the service has no method “\(headers.first(name: ":path") ?? "")”")
        }
        let timeout = try CallHeaders.timeout(headers)
        state = .reading(method)
        guard let timeout else { return }
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { self.passDeadline(context) }
    }

    private func passDeadline(_ context: ChannelHandlerContext) {
        switch state {
        case .reading:
            let failure = SnapshotterError(.deadlineExceeded, "the call's deadline passed before its request was there")
            finish(failure, context)
        case .running(let call): connections.dispatcher.leave(call, .deadlineExceeded)
        case .awaitingHeaders, .ended: break
        }
    }

    private func run(_ context: ChannelHandlerContext) throws(SnapshotterError) {
        guard case .reading(let method) = state else { return }
        let request = try reader.finish()
        reader = MessageReader()
        connections.beginCall()
        isCounted = true
        let (loop, bound) = (context.eventLoop, NIOLoopBound((self, context), eventLoop: context.eventLoop))
        let call = Call(method, request) { outcome in
            if loop.inEventLoop {
                bound.value.0.answer(outcome, bound.value.1)
            } else {
                loop.execute { bound.value.0.answer(outcome, bound.value.1) }
            }
        }
        state = .running(call)
        connections.dispatcher.begin(call)
    }

    // MARK: The answer

    private func answer(_ outcome: Call.Outcome, _ context: ChannelHandlerContext) {
        guard case .running = state else { return endCount() }
        switch outcome {
        case .failure(let error): finish(error, context)
        case .success(let answer):
            deadline?.cancel()
            state = .ended
            context.write(wrapOutboundOut(.headers(.init(headers: CallHeaders.start))), promise: nil)
            send(answer, from: 0, context)
        }
    }

    /// Writes as much as may be under way; the rest follows when the client has taken that.
    private func send(_ answer: CallAnswer, from start: Int, _ context: ChannelHandlerContext) {
        var (index, bytes) = (start, 0)
        while index < answer.count {
            let message = answer.message(index)
            var buffer = context.channel.allocator.buffer(capacity: message.count + 5)
            buffer.writeInteger(UInt8(0))
            buffer.writeInteger(UInt32(clamping: message.count))
            buffer.writeBytes(message)
            index += 1
            bytes += buffer.readableBytes
            let payload = wrapOutboundOut(.data(.init(data: .byteBuffer(buffer))))
            guard bytes > Self.longestBurst, index < answer.count else {
                context.write(payload, promise: nil)
                continue
            }
            let written = context.eventLoop.makePromise(of: Void.self)
            context.writeAndFlush(payload, promise: written)
            return written.futureResult.assumeIsolated().whenComplete { [index] result in
                switch result {
                case .success: self.send(answer, from: index, context)
                case .failure: self.endCount()
                }
            }
        }
        write(CallHeaders.trailers(nil), context)
    }

    /// Ends the call with an error before anything of an answer.
    private func finish(_ failure: SnapshotterError, _ context: ChannelHandlerContext) {
        deadline?.cancel()
        state = .ended
        reader = MessageReader()
        var headers = CallHeaders.start
        headers.add(contentsOf: CallHeaders.trailers(failure))
        write(headers, context)
    }

    private func write(_ last: HPACKHeaders, _ context: ChannelHandlerContext) {
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(.headers(.init(headers: last, endStream: true))), promise: written)
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.endCount()
            // A client that is still sending learns that nobody reads it.
            guard !self.hasRequest else { return }
            context.writeAndFlush(self.wrapOutboundOut(.rstStream(.noError)), promise: nil)
        }
    }

    private func endCount() {
        guard isCounted else { return }
        isCounted = false
        connections.endCall()
    }
}
#endif
