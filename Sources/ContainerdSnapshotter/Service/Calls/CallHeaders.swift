#if Daemon
internal import NIOCore
internal import NIOHPACK

/// gRPC's own headers: what a call's first ones say, and how its answer begins and ends.
enum CallHeaders {
    static let start = HPACKHeaders([(":status", "200"), ("content-type", "application/grpc")])
    static let unsupportedMediaType = HPACKHeaders([(":status", "415")])
    /// A longer text would not go into the headers that clients take.
    private static let longestMessage = 2000

    /// Whether these begin a call of gRPC with messages of protobuf.
    static func beginCall(_ headers: HPACKHeaders) -> Bool {
        guard headers.first(name: ":method") == "POST", let type = headers.first(name: "content-type") else {
            return false
        }
        let name = type.prefix { $0 != ";" && $0 != " " }
        return name == "application/grpc" || name == "application/grpc+proto"
    }

    /// The time within which the client wants its answer; `nil` for any time.
    ///
    /// - Throws: ``SnapshotterError`` for a text that is no time.
    static func timeout(_ headers: HPACKHeaders) throws(SnapshotterError) -> TimeAmount? {
        guard let text = headers.first(name: "grpc-timeout") else { return nil }
        let units: [UInt8: Int64] = [
            UInt8(ascii: "n"): 1, UInt8(ascii: "u"): 1000, UInt8(ascii: "m"): 1_000_000,
            UInt8(ascii: "S"): 1_000_000_000,
            UInt8(ascii: "M"): 60_000_000_000, UInt8(ascii: "H"): 3_600_000_000_000,
        ]
        let digits = text.utf8.dropLast()
        guard let last = text.utf8.last, let unit = units[last], (1...8).contains(digits.count),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let count = Int64(text.dropLast())
        else {
            throw SnapshotterError(
                .invalidArgument,
                "the header grpc-timeout is no time: up to eight digits and one of H, M, S, m, u and n")
        }
        let (time, isTooLong) = count.multipliedReportingOverflow(by: unit)
        // A timer cannot be that far away, and no client is there any more then: a year.
        let longest: Int64 = 365 * 24 * 3_600_000_000_000
        return .nanoseconds(isTooLong ? longest : min(time, longest))
    }

    /// How an answer ends: with an error, or without one.
    static func trailers(_ failure: SnapshotterError?) -> HPACKHeaders {
        var headers = HPACKHeaders([("grpc-status", String(failure?.code.number ?? 0))])
        guard let failure else { return headers }
        headers.add(name: "grpc-message", value: percentEncoded(failure.description))
        // Clients learn from this one what they may send instead.
        if failure.code == .unimplemented { headers.add(name: "grpc-accept-encoding", value: "identity") }
        return headers
    }

    /// A message as it may stand in a header: every byte that is not printable ASCII is written by its number.
    static func percentEncoded(_ message: String) -> String {
        var text = message
        if message.utf8.count > longestMessage {
            let cut = message.unicodeScalars.prefix(longestMessage / 4)
            text = String(String.UnicodeScalarView(cut)) + "…"
        }
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            if (0x20...0x7e).contains(byte), byte != UInt8(ascii: "%") {
                encoded.append(byte)
            } else {
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}

extension SnapshotterError.Code {
    /// gRPC's number for it.
    var number: Int {
        switch self {
        case .cancelled: 1
        case .invalidArgument: 3
        case .deadlineExceeded: 4
        case .notFound: 5
        case .alreadyExists: 6
        case .resourceExhausted: 8
        case .failedPrecondition: 9
        case .unimplemented: 12
        case .internal: 13
        case .unavailable: 14
        }
    }
}
#endif
