import NIOCore
import NIOEmbedded

@testable import ContainerdSnapshotter

extension FuzzTarget {
    /// Methods that need no store: one that answers at once, and one whose answer is long.
    private static let dispatcher: CallDispatcher = {
        let stat = CallMethod(name: "Stat", place: .eventLoop) { (request) throws(SnapshotterError) in
            .init(key: "") { (_) throws(SnapshotterError) in .one(request) }
        }
        let list = CallMethod(name: "List", place: .eventLoop) { (request) throws(SnapshotterError) in
            .init(key: "") { (_) throws(SnapshotterError) in
                CallAnswer(count: 100) { _ in [UInt8](repeating: 1, count: 10_000) }
            }
        }
        let log = ServiceLog(isJSON: false, isVerbose: false).logger
        return CallDispatcher([SnapshotsMethods.service: [stat, list]], threads: 1, ServiceMetrics(), log)
    }()

    /// The bytes that a client of “dmlayer serve” sends: HTTP/2 and gRPC.
    static let frames = FuzzTarget(name: "frames") { input in
        var reader = InputReader(input)
        let (options, chunk) = (reader.byte(), Int(reader.byte()) + 1)
        // Few inputs find the preface by themselves.
        let start = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]
        let preface = options & 1 == 0 ? start : []
        let bytes = preface + reader.remaining()
        let channel = EmbeddedChannel()
        let connections = Connections(dispatcher)
        do {
            try connections.accept(channel)
            try channel.connect(to: SocketAddress(unixDomainSocketPath: "/client")).wait()
        } catch {
            demand(false, "a connection is refused: \(error)")
        }
        for start in stride(from: 0, to: bytes.count, by: chunk) where channel.isActive {
            // Errors of HTTP/2 are only for the connection.
            _ = try? channel.writeInbound(ByteBuffer(bytes: bytes[start..<min(start + chunk, bytes.count)]))
            channel.embeddedEventLoop.run()
        }
        // Deadlines pass.
        channel.embeddedEventLoop.advanceTime(by: .hours(1))
        let isBroken = checkAnswer(of: channel, to: bytes.count)
        demand(!isBroken || !channel.isActive, "a connection goes on behind a GOAWAY with an error")
        _ = try? channel.finish(acceptAlreadyClosed: true)
        demand(connections.calls == 0, "\(connections.calls) calls have no end")
    }

    /// Reads the service's frames.
    ///
    /// - Returns: Whether one of them gives the connection up.
    private static func checkAnswer(of channel: EmbeddedChannel, to count: Int) -> Bool {
        var answer = ByteBuffer()
        // An answer of another type would be none that a socket takes.
        while case .byteBuffer(let bytes)? = try? channel.readOutbound(as: IOData.self) {
            answer.writeImmutableBuffer(bytes)
        }
        // Without a larger window, an answer to a call is no longer than 64 KiB; a call takes more than 30 bytes.
        demand(answer.readableBytes <= 1 << 20 + count * 4000, "\(count) bytes are answered by \(answer.readableBytes)")
        var isBroken = false
        while let head = answer.readBytes(length: 9) {
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            guard let payload = answer.readBytes(length: length) else {
                demand(false, "the answer ends within a frame of type \(head[3])")
                break
            }
            if head[3] == 7 { isBroken = isBroken || payload[4..<8] != [0, 0, 0, 0] }
        }
        demand(answer.readableBytes == 0, "the answer ends within the head of a frame")
        return isBroken
    }
}
