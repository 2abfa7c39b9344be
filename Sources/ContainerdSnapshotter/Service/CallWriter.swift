#if Daemon
internal import GRPCCore
internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2
internal import Synchronization

/// Writes the answer to a call into the frames of an HTTP/2 stream.
///
/// What is small is sent together with the status: one way to the event loop and one system call for nearly every call.
final class CallWriter: ClosableRPCWriterProtocol {
    typealias Element = RPCResponsePart<[UInt8]>

    /// More than this is sent before the end.
    private static let longestHeld = 256 << 10

    private enum Frame: Sendable {
        case headers(HPACKHeaders, isLast: Bool)
        case data(ByteBuffer)
    }

    private struct State {
        var held: [Frame] = []
        var heldBytes = 0
        var hasHeaders = false
        var isClosed = false
    }

    private let channel: any Channel
    private let state = Mutex(State())

    init(_ channel: any Channel) {
        self.channel = channel
    }

    func write(_ part: Element) async throws {
        try await write(contentsOf: CollectionOfOne(part))
    }

    func write(contentsOf parts: some Sequence<Element>) async throws {
        let frames = state.withLock { state -> [Frame] in
            for part in parts where !state.isClosed { Self.add(part, to: &state) }
            guard state.isClosed || state.heldBytes > Self.longestHeld else { return [] }
            defer {
                state.held = []
                state.heldBytes = 0
            }
            return state.held
        }
        if !frames.isEmpty { try await send(frames).get() }
    }

    func finish() async {
        try? await write(
            .status(Status(code: .unknown, message: "the call has ended without a status"), Metadata()))
    }

    func finish(throwing error: any Error) async {
        try? await write(.status(Status(code: .unknown, message: "\(error)"), Metadata()))
    }

    /// Answers with an error before anything has been done.
    func refuse(_ code: Status.Code, _ message: String) {
        let frames = state.withLock { state -> [Frame] in
            Self.add(.status(Status(code: code, message: message), Metadata()), to: &state)
            return state.held
        }
        _ = send(frames)
    }

    private static func add(_ part: Element, to state: inout State) {
        switch part {
        case .metadata(let metadata):
            guard !state.hasHeaders else { return }
            state.hasHeaders = true
            state.held.append(.headers(start + headers(metadata), isLast: false))
        case .message(let message):
            var buffer = ByteBuffer()
            buffer.reserveCapacity(message.count + 5)
            buffer.writeInteger(UInt8(0))
            buffer.writeInteger(UInt32(clamping: message.count))
            buffer.writeBytes(message)
            state.heldBytes += buffer.readableBytes
            state.held.append(.data(buffer))
        case .status(let status, let metadata):
            var trailers = state.hasHeaders ? HPACKHeaders() : start
            trailers.add(name: "grpc-status", value: String(status.code.rawValue))
            if !status.message.isEmpty { trailers.add(name: "grpc-message", value: percentEncoded(status.message)) }
            state.held.append(.headers(trailers + headers(metadata), isLast: true))
            state.isClosed = true
        }
    }

    private static let start = HPACKHeaders([(":status", "200"), ("content-type", "application/grpc")])

    private static func headers(_ metadata: Metadata) -> HPACKHeaders {
        var headers = HPACKHeaders()
        for (key, value) in metadata {
            if case .string(let text) = value { headers.add(name: key.lowercased(), value: text) }
        }
        return headers
    }

    /// A message as it may stand in a header: whatever is not printable ASCII is said by its number.
    static func percentEncoded(_ message: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        for byte in message.utf8 {
            if (0x20...0x7e).contains(byte), byte != UInt8(ascii: "%") {
                encoded.append(byte)
            } else {
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    private func send(_ frames: [Frame]) -> EventLoopFuture<Void> {
        channel.eventLoop.flatSubmit { [channel] in
            var written = channel.eventLoop.makeSucceededVoidFuture()
            for frame in frames {
                let payload: HTTP2Frame.FramePayload =
                    switch frame {
                    case .headers(let headers, let isLast): .headers(.init(headers: headers, endStream: isLast))
                    case .data(let buffer): .data(.init(data: .byteBuffer(buffer)))
                    }
                written = channel.write(payload)
            }
            channel.flush()
            return written
        }
    }
}

extension HPACKHeaders {
    fileprivate static func + (left: HPACKHeaders, right: HPACKHeaders) -> HPACKHeaders {
        var sum = left
        sum.add(contentsOf: right)
        return sum
    }
}
#endif
