#if Daemon
internal import NIOCore
internal import NIOPosix

/// Answers any request over HTTP with the service's figures, and closes the connection.
final class MetricsHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Longer than the head of any request for figures.
    private static let longestHead = 16 << 10

    private let threads: NIOThreadPool
    private let text: @Sendable () -> String
    private var head: [UInt8] = []
    private var isAnswered = false

    init(_ threads: NIOThreadPool, _ text: @escaping @Sendable () -> String) {
        self.threads = threads
        self.text = text
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        head += unwrapInboundIn(data).readableBytesView
        guard head.count <= Self.longestHead else { return context.close(promise: nil) }
        guard !isAnswered, String(decoding: head, as: UTF8.self).contains("\r\n\r\n") else { return }
        isAnswered = true
        let channel = context.channel
        // The pool is asked too, and the kernel may take its time.
        threads.runIfActive(eventLoop: context.eventLoop, text).whenComplete { result in
            let text = (try? result.get()) ?? ""
            let answer =
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: \(text.utf8.count)\r\n"
                + "Connection: close\r\n\r\n" + text
            channel.writeAndFlush(ByteBuffer(string: answer)).whenComplete { _ in channel.close(promise: nil) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
#endif
