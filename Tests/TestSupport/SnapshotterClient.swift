import Glibc
import SystemCalls
public import SystemPackage

/// A client of “dmlayer serve” with a connection of its own and one call at a time.
///
/// It speaks gRPC over HTTP/2, and no more of it than calls need that have one message each way. It waits in `read`, so that
/// nothing of a library's is measured with the service.
public final class SnapshotterClient {
    /// A call that the service has refused or ended.
    public struct Failure: Error, CustomStringConvertible {
        /// The failure in words.
        public let description: String
        /// Whether the service has refused the call, and the connection goes on.
        public let isRefusal: Bool

        fileprivate init(_ description: String, isRefusal: Bool = false) {
            self.description = description
            self.isRefusal = isRefusal
        }
    }

    private let descriptor: FileDescriptor
    private var stream: UInt32 = 1
    private var received: [UInt8] = []

    /// Connects to the service.
    public init(_ path: FilePath) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.string.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw Errno.fileNameTooLong }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let socket = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw Errno(rawValue: errno) }
        descriptor = FileDescriptor(rawValue: socket)
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe connect(socket, pointer, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let error = Errno(rawValue: errno)
            // Nothing was written through it.
            try? descriptor.close()
            throw error
        }
        // All answers together are far below this window.
        let window = Self.frame(.windowUpdate, 0, 0, Self.bytes(1 << 30))
        try send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Self.frame(.settings, 0, 0, []) + window)
    }

    deinit { try? descriptor.close() }

    /// Makes an active snapshot; the parent “” is none.
    public func prepare(_ key: String, parent: String) throws {
        try call("Prepare", Self.field(2, key) + Self.field(3, parent))
    }

    /// Commits an active snapshot under a name.
    public func commit(_ key: String, as name: String) throws {
        try call("Commit", Self.field(2, name) + Self.field(3, key))
    }

    /// Removes a snapshot.
    public func remove(_ key: String) throws { try call("Remove", Self.field(2, key)) }

    /// Asks for a snapshot.
    public func stat(_ key: String) throws { try call("Stat", Self.field(2, key)) }

    // MARK: gRPC

    private static func call(_ method: String) -> [UInt8] {
        let headers = [
            (":method", "POST"), (":scheme", "http"), (":authority", "localhost"),
            (":path", "/containerd.services.snapshots.v1.Snapshots/\(method)"), ("content-type", "application/grpc"),
            ("te", "trailers"),
        ]
        // Each as a literal that is not kept, RFC 7541 section 6.2.2; all of these are shorter than 127 bytes.
        var block: [UInt8] = []
        for (name, value) in headers {
            block += [0, UInt8(name.utf8.count)]
            block += name.utf8
            block.append(UInt8(value.utf8.count))
            block += value.utf8
        }
        return block
    }

    private func call(_ method: String, _ message: [UInt8]) throws {
        let data = [0] + Self.bytes(UInt32(message.count)) + message
        try send(Self.frame(.headers, 4, stream, Self.call(method)) + Self.frame(.data, 1, stream, data))
        defer { stream += 2 }
        var hasMessage = false
        while true {
            let header = try read(9)
            let length = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
            let payload = try read(length)
            switch FrameType(rawValue: header[3]) {
            case .settings where header[4] & 1 == 0:
                try send(Self.frame(.settings, 1, 0, []))
            case .data, .headers:
                // A call that is refused gets no message.
                if header[3] == FrameType.data.rawValue, !payload.isEmpty { hasMessage = true }
                guard header[4] & 1 == 1 else { continue }
                guard hasMessage else { throw Failure("the service has refused a \(method)", isRefusal: true) }
                return
            case .resetStream, .goAway: throw Failure("the service has ended a \(method)")
            default: continue
            }
        }
    }

    // MARK: HTTP/2

    private enum FrameType: UInt8 {
        case data = 0
        case headers = 1
        case resetStream = 3
        case settings = 4
        case goAway = 7
        case windowUpdate = 8
    }

    private static func frame(_ type: FrameType, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        var frame = Array(bytes(UInt32(payload.count)).dropFirst())
        frame += [type.rawValue, flags]
        frame += bytes(stream)
        return frame + payload
    }

    private static func bytes(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
    }

    /// A field of a message with a text that is shorter than 128 bytes.
    private static func field(_ number: UInt8, _ text: String) -> [UInt8] {
        [number << 3 | 2, UInt8(text.utf8.count)] + Array(text.utf8)
    }

    /// Sends bytes; a service that has ended is an error, and no signal that ends this process.
    private func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = try systemCall {
                unsafe rest.withUnsafeBytes { bytes in
                    unsafe Glibc.send(descriptor.rawValue, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL))
                }
            }
            rest = rest.dropFirst(count)
        }
    }

    private func read(_ count: Int) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while received.count < count {
            let length = try unsafe buffer.withUnsafeMutableBytes { unsafe try descriptor.read(into: $0) }
            guard length > 0 else { throw Failure("the service has closed the connection") }
            received += buffer[..<length]
        }
        defer { received.removeFirst(count) }
        return Array(received[..<count])
    }
}
