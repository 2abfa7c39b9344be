#if Daemon
internal import SystemCalls
internal import NIOCore
internal import NIOPosix

/// A TCP address where Prometheus gets figures.
public struct MetricsAddress: Hashable, Sendable, CustomStringConvertible {
    private let host: String
    private let port: Int
    /// The address as it was written.
    public let description: String

    /// Reads an address: `127.0.0.1:9756` or `[::1]:9756`.
    ///
    /// - Parameters:
    ///   - text: The address.
    ///   - allowsRemote: Whether other machines may reach it. Nobody is asked for a password there, and nothing is encrypted.
    /// - Throws: ``SnapshotterError/Code/invalidArgument`` for a text that is no address with a port, and for one that other
    ///   machines can reach unless that is allowed.
    public init(parsing text: String, allowsRemote: Bool) throws(SnapshotterError) {
        guard let colon = text.lastIndex(of: ":"), let address = Self.address(text[..<colon]),
            let port = Self.port(text[text.index(after: colon)...])
        else {
            throw SnapshotterError(
                .invalidArgument,
                "the metrics address “\(text)” is no IP address with a port, such as 127.0.0.1:9756 or [::1]:9756")
        }
        guard address.isLoopback || allowsRemote else {
            throw SnapshotterError(
                .invalidArgument,
                "other machines can reach the metrics address \(text), and nobody is asked for a password there; name one of "
                    + "this machine, such as 127.0.0.1:\(port), or say --metrics-allow-remote as well")
        }
        (host, self.port, description) = (address.host, Int(port), text)
    }

    private static func port(_ text: Substring) -> UInt16? {
        // Otherwise a sign would be taken as well.
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(text), port > 0 else {
            return nil
        }
        return port
    }

    private static func address(_ text: Substring) -> (host: String, isLoopback: Bool)? {
        var version4 = in_addr()
        if unsafe inet_pton(AF_INET, String(text), &version4) == 1 {
            return (String(text), UInt32(bigEndian: version4.s_addr) >> 24 == 127)
        }
        guard text.hasPrefix("["), text.hasSuffix("]") else { return nil }
        let host = String(text.dropFirst().dropLast())
        var version6 = in6_addr()
        guard unsafe inet_pton(AF_INET6, host, &version6) == 1 else { return nil }
        let bytes = unsafe withUnsafeBytes(of: version6) { unsafe Array($0) }
        return (host, bytes == Array(repeating: 0, count: 15) + [1])
    }

    /// Listens there.
    ///
    /// - Throws: ``SnapshotterError/Code/internal``, with the kernel's error.
    func listen(_ bootstrap: ServerBootstrap) throws(SnapshotterError) -> any Channel {
        do {
            let address = try SocketAddress(ipAddress: host, port: port)
            return try bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1).bind(to: address).wait()
        } catch {
            let reason = (error as? IOError).map { unsafe String(cString: strerror($0.errnoCode)) } ?? "\(error)"
            throw SnapshotterError(
                .internal,
                "cannot listen at the metrics address \(self): \(reason); name another one, or end what listens there")
        }
    }
}
#endif
