#if Daemon
/// gRPC's health checking protocol: probes ask whether the service answers calls.
///
/// The messages have one field each, so they are written here by hand: `service`, a text with the number 1, and `status`, an
/// enumeration with the number 1, in which 1 means SERVING.
enum HealthMethods {
    static let service = "grpc.health.v1.Health"
    static let serving: [UInt8] = [0x08, 0x01]

    /// The method for a probe, which is `Check`.
    ///
    /// The protocol has a stream of changes too, `Watch`, which no probe of a node needs.
    static var all: [CallMethod] {
        [
            CallMethod(name: "Check", place: .eventLoop) { (bytes) throws(SnapshotterError) in
                guard bytes.isEmpty || bytes == request(SnapshotsMethods.service) || bytes == request("") else {
                    throw SnapshotterError(.notFound, "the only service here is \(SnapshotsMethods.service)")
                }
                return .init(key: "") { _ in .one(serving) }
            }
        ]
    }

    /// The request about a service whose name is shorter than 128 bytes.
    static func request(_ service: String) -> [UInt8] { [0x0a, UInt8(service.utf8.count)] + service.utf8 }
}
#endif
