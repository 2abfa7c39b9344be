#if Daemon
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Answers a request for `/metrics` over HTTP with the service's figures, and closes the connection.
final class MetricsHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Longer than the head of any request for figures.
    private static let longestHead = 16 << 10
    private static let endOfHead = Array("\r\n\r\n".utf8)
    /// How long a connection may last.
    private static let patience = TimeAmount.seconds(10)

    /// How many clients there are, so that nobody keeps the service busy with them.
    final class Clients: Sendable {
        private static let most = 16
        private let count = Atomic(0)

        /// Adds a client.
        ///
        /// - Returns: Whether there is room for it.
        func enter() -> Bool {
            guard count.add(1, ordering: .relaxed).newValue <= Self.most else {
                leave()
                return false
            }
            return true
        }

        func leave() {
            count.subtract(1, ordering: .relaxed)
        }
    }

    private let clients: Clients
    private let threads: NIOThreadPool
    private let text: @Sendable () -> String
    private var head: [UInt8] = []
    private var isAnswered = false
    private var isEntered = false

    init(_ clients: Clients, _ threads: NIOThreadPool, _ text: @escaping @Sendable () -> String) {
        self.clients = clients
        self.threads = threads
        self.text = text
    }

    func channelActive(context: ChannelHandlerContext) {
        isEntered = clients.enter()
        guard isEntered else { return context.close(promise: nil) }
        let channel = context.channel
        let end = context.eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in end.cancel() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        // One that has asked leaves when its answer is there: a kernel that does not answer must not collect questions.
        if isEntered, !isAnswered { clients.leave() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard isEntered, !isAnswered else { return }
        // The bytes received before have no end mark, but may have the beginning of one.
        let start = max(0, head.count - Self.endOfHead.count + 1)
        head += unwrapInboundIn(data).readableBytesView
        guard head.count <= Self.longestHead else { return context.close(promise: nil) }
        guard (start..<head.count).contains(where: { head[$0...].starts(with: Self.endOfHead) }) else { return }
        isAnswered = true
        let (channel, clients) = (context.channel, clients)
        let line = head.prefix { $0 != UInt8(ascii: "\r") }
        if let refusal = Self.refusal(String(decoding: line, as: UTF8.self)) {
            clients.leave()
            return Self.send(refusal, refusal + "\n", to: channel)
        }
        // The pool is asked too, and the kernel may take its time.
        threads.runIfActive(eventLoop: context.eventLoop, text).whenComplete { result in
            clients.leave()
            switch result {
            case .success(let text): Self.send("200 OK", text, to: channel)
            case .failure: Self.send("503 Service Unavailable", "The service ends or has not begun.\n", to: channel)
            }
        }
    }

    /// The status of the refusal, for a bad first line of a request; `nil` for a good one.
    private static func refusal(_ line: String) -> String? {
        let words = line.split(separator: " ")
        guard words.count == 3, words[2].hasPrefix("HTTP/1.") else { return "400 Bad Request" }
        guard words[1].prefix(while: { $0 != "?" }) == "/metrics" else { return "404 Not Found" }
        return words[0] == "GET" ? nil : "405 Method Not Allowed"
    }

    private static func send(_ status: String, _ text: String, to channel: any Channel) {
        let answer =
            "HTTP/1.1 \(status)\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
            + "Content-Length: \(text.utf8.count)\r\nConnection: close\r\n\r\n" + text
        channel.writeAndFlush(ByteBuffer(string: answer)).whenComplete { _ in channel.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
#endif
