#if Daemon
import NIOCore
import NIOHPACK
import Testing

@testable import ContainerdSnapshotter

/// The message of a request, and gRPC's headers.
struct MessageTests {
    private func framed(_ message: [UInt8]) -> [UInt8] {
        [0] + (0..<4).map { UInt8(truncatingIfNeeded: message.count >> (24 - 8 * $0)) } + message
    }

    @Test(arguments: [[], [1], Array(repeating: 7, count: 300)] as [[UInt8]])
    func readsAMessageHoweverItIsCut(message: [UInt8]) throws {
        let bytes = framed(message)
        for size in [1, 2, 3, 5, 7, 100, bytes.count] {
            var reader = MessageReader()
            for start in stride(from: 0, to: bytes.count, by: size) {
                try reader.read(ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)]))
            }
            #expect(try reader.finish() == message)
        }
    }

    private func refusal(_ pieces: [UInt8]...) -> SnapshotterError.Code? {
        var reader = MessageReader()
        do throws(SnapshotterError) {
            for piece in pieces { try reader.read(ByteBuffer(bytes: piece)) }
            _ = try reader.finish()
            return nil
        } catch {
            return error.code
        }
    }

    @Test func refusesWhatIsTooLongCompressedCutOrMore() {
        #expect(refusal([0, 1, 0, 0, 1]) == .resourceExhausted)
        #expect(refusal([1, 0, 0, 0, 0]) == .unimplemented)
        #expect(refusal([0, 0, 0, 0, 2, 9]) == .internal)
        #expect(refusal([]) == .internal)
        #expect(refusal(framed([1]) + framed([2])) == .internal)
        #expect(refusal(framed([1]), framed([2])) == .internal)
        #expect(refusal(framed([1]), []) == nil)
    }

    @Test func encodesWhatHeadersCannotHold() {
        #expect(CallHeaders.percentEncoded("100 % “ä”\n") == "100 %25 %E2%80%9C%C3%A4%E2%80%9D%0A")
        let long = CallHeaders.percentEncoded(String(repeating: "é", count: 1 << 20))
        #expect(long.utf8.count < 4000 && long.hasSuffix("%E2%80%A6"))
    }

    @Test(
        arguments: [
            ("0n", 0), ("1n", 1), ("20u", 20_000), ("30m", 30_000_000), ("4S", 4_000_000_000), ("1M", 60_000_000_000),
            ("1H", 3_600_000_000_000), ("99999999H", 365 * 24 * 3_600_000_000_000),
        ] as [(String, Int64)])
    func readsTimeouts(text: String, nanoseconds: Int64) throws {
        #expect(try CallHeaders.timeout(["grpc-timeout": text])?.nanoseconds == nanoseconds)
    }

    @Test(arguments: ["", "S", "1", "1s", "-1S", "+1S", "123456789S", "1 S", "١S"])
    func refusesWhatIsNoTimeout(text: String) {
        let error = #expect(throws: SnapshotterError.self) { try CallHeaders.timeout(["grpc-timeout": text]) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func knowsACallByItsHeaders() {
        func isCall(_ type: String) -> Bool {
            CallHeaders.beginCall([":method": "POST", "content-type": type])
        }
        #expect(isCall("application/grpc") && isCall("application/grpc+proto") && isCall("application/grpc; x=y"))
        #expect(!isCall("application/grpc+json") && !isCall("application/grpcx") && !isCall("text/plain"))
        #expect(!CallHeaders.beginCall([":method": "GET", "content-type": "application/grpc"]))
        #expect(!CallHeaders.beginCall([":method": "POST"]))
    }
}
#endif
