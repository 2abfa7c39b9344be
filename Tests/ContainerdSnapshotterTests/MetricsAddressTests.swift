#if Daemon
import Testing

@testable import ContainerdSnapshotter

/// Where the figures are published.
struct MetricsAddressTests {
    @Test(arguments: ["127.0.0.1:9756", "127.9.9.9:1", "[::1]:65535"]) func takesThisMachine(text: String) throws {
        #expect(try MetricsAddress(parsing: text, allowsRemote: false).description == text)
    }

    @Test(arguments: ["0.0.0.0:9756", "[::]:9756", "192.0.2.1:9756", "[2001:db8::1]:9756", "[::ffff:127.0.0.1]:9756"])
    func takesOthersOnlyWhenToldSo(text: String) throws {
        let error = #expect(throws: SnapshotterError.self) { try MetricsAddress(parsing: text, allowsRemote: false) }
        #expect(error?.description.contains("--metrics-allow-remote") == true)
        #expect(try MetricsAddress(parsing: text, allowsRemote: true).description == text)
    }

    @Test(arguments: [
        "", ":", "9756", ":9756", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:+1",
        "localhost:9756", "::1:9756", "[::1]", "[::1:9756", "127.1:9756", "127.0.0.1:97 56", "[127.0.0.1]:1",
    ]) func refusesWhatIsNoAddress(text: String) throws {
        let error = #expect(throws: SnapshotterError.self) { try MetricsAddress(parsing: text, allowsRemote: true) }
        #expect(error?.description.contains("no IP address with a port") == true)
    }
}
#endif
