#if Daemon
import GRPCCore
import NIOCore
import Testing

@testable import ContainerdSnapshotter

/// Messages within the frames of HTTP/2.
struct MessageTests {
    private func framed(_ message: [UInt8]) -> [UInt8] {
        [0] + (0..<4).map { UInt8(truncatingIfNeeded: message.count >> (24 - 8 * $0)) } + message
    }

    @Test func readsMessagesHoweverTheyAreCut() throws {
        let messages: [[UInt8]] = [[], [1], Array(repeating: 7, count: 300), [2, 3]]
        let bytes = messages.flatMap(framed)
        for size in [1, 2, 3, 5, 7, 100, bytes.count] {
            var reader = MessageReader()
            var read: [[UInt8]] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                read += try reader.read(ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)]))
            }
            try reader.finish()
            #expect(read == messages)
        }
    }

    @Test func refusesWhatIsTooLongCompressedOrCut() throws {
        var reader = MessageReader()
        #expect(throws: RPCError.self) { try reader.read(ByteBuffer(bytes: [0, 1, 0, 0, 1])) }
        reader = MessageReader()
        #expect(throws: RPCError.self) { try reader.read(ByteBuffer(bytes: [1, 0, 0, 0, 0])) }
        reader = MessageReader()
        #expect(try reader.read(ByteBuffer(bytes: [0, 0, 0, 0, 2, 9])) == [])
        #expect(throws: RPCError.self) { try reader.finish() }
    }

    @Test func encodesWhatHeadersCannotHold() {
        #expect(CallWriter.percentEncoded("100 % “ä”\n") == "100 %25 %E2%80%9C%C3%A4%E2%80%9D%0A")
    }
}
#endif
