#if Daemon
internal import LayerStore
internal import SwiftProtobuf

/// containerd's service: the messages of each method, and the call of the snapshotter that answers it.
enum SnapshotsMethods {
    static let service = "containerd.services.snapshots.v1.Snapshots"
    /// How many snapshots a message of a list has, as containerd's own service does it.
    private static let listBlock = 100

    static func all(_ snapshotter: Snapshotter) -> [CallMethod] {
        looking(snapshotter) + making(snapshotter) + changing(snapshotter)
    }

    private static func looking(_ snapshotter: Snapshotter) -> [CallMethod] {
        [
            unary("Stat", .eventLoop, \Containerd_Services_Snapshots_V1_StatSnapshotRequest.key) {
                (request, _) throws(SnapshotterError) in
                let snapshot = try snapshotter.stat(request.key)
                return Containerd_Services_Snapshots_V1_StatSnapshotResponse.with { $0.info = snapshot.message }
            },
            CallMethod(name: "List", place: .memory) { (bytes) throws(SnapshotterError) in
                let request: Containerd_Services_Snapshots_V1_ListSnapshotsRequest = try decoded(bytes, "List")
                return .init(key: "") { (_) throws(SnapshotterError) in
                    // The answer is a copy, and no lock is held while it is sent: the client asks for details while it reads.
                    blocks(try snapshotter.list(request.filters))
                }
            },
            CallMethod(name: "Mounts", place: .eventLoopOrKernel) { (bytes) throws(SnapshotterError) in
                let request: Containerd_Services_Snapshots_V1_MountsRequest = try decoded(bytes, "Mounts")
                return .init(key: request.key) { (caller) throws(SnapshotterError) in
                    try answer(snapshotter.mounts(request.key, for: caller))
                } runAtOnce: { () throws(SnapshotterError) in
                    // containerd asks before each mount, and mostly nothing has to be done.
                    guard let mounts = try snapshotter.mountsIfActive(request.key) else { return nil }
                    return try answer(mounts)
                }
            },
            unary("Usage", .kernel, \Containerd_Services_Snapshots_V1_UsageRequest.key) {
                (request, _) throws(SnapshotterError) in
                let usage = try snapshotter.usage(request.key)
                return Containerd_Services_Snapshots_V1_UsageResponse.with { $0.size = Int64(clamping: usage.bytes) }
            },
        ]
    }

    private static func making(_ snapshotter: Snapshotter) -> [CallMethod] {
        [
            unary("Prepare", .kernel, \Containerd_Services_Snapshots_V1_PrepareSnapshotRequest.key) {
                (request, caller) throws(SnapshotterError) in
                let mounts = try snapshotter.prepare(
                    request.key, parent: request.parent, kind: .active, labels: request.labels, for: caller)
                return Containerd_Services_Snapshots_V1_PrepareSnapshotResponse.with {
                    $0.mounts = mounts.map(\.message)
                }
            },
            unary("View", .kernel, \Containerd_Services_Snapshots_V1_ViewSnapshotRequest.key) {
                (request, caller) throws(SnapshotterError) in
                let mounts = try snapshotter.prepare(
                    request.key, parent: request.parent, kind: .view, labels: request.labels, for: caller)
                return Containerd_Services_Snapshots_V1_ViewSnapshotResponse.with { $0.mounts = mounts.map(\.message) }
            },
        ]
    }

    private static func changing(_ snapshotter: Snapshotter) -> [CallMethod] {
        [
            unary("Commit", .kernel, \Containerd_Services_Snapshots_V1_CommitSnapshotRequest.key) {
                (request, caller) throws(SnapshotterError) in
                try snapshotter.commit(
                    request.key, as: request.name, parent: request.parent, labels: request.labels, for: caller)
                return Google_Protobuf_Empty()
            },
            unary("Remove", .kernel, \Containerd_Services_Snapshots_V1_RemoveSnapshotRequest.key) {
                (request, caller) throws(SnapshotterError) in
                try snapshotter.remove(request.key, for: caller)
                return Google_Protobuf_Empty()
            },
            unary("Update", .kernel, \Containerd_Services_Snapshots_V1_UpdateSnapshotRequest.info.name) {
                (request, caller) throws(SnapshotterError) in
                let snapshot = try snapshotter.update(
                    request.info.name, labels: request.info.labels, paths: request.updateMask.paths, for: caller)
                return Containerd_Services_Snapshots_V1_UpdateSnapshotResponse.with { $0.info = snapshot.message }
            },
            CallMethod(name: "Cleanup", place: .kernel) { (bytes) throws(SnapshotterError) in
                let _: Containerd_Services_Snapshots_V1_CleanupRequest = try decoded(bytes, "Cleanup")
                return .init(key: "") { (_) throws(SnapshotterError) in
                    snapshotter.cleanUp()
                    return .one(try encoded(Google_Protobuf_Empty()))
                }
            },
        ]
    }

    // MARK: Messages

    private static func unary<Request: Message, Response: Message>(
        _ name: String, _ place: CallMethod.Place, _ key: any KeyPath<Request, String> & Sendable,
        _ body: @escaping @Sendable (Request, Caller) throws(SnapshotterError) -> Response
    ) -> CallMethod {
        CallMethod(name: name, place: place) { (bytes) throws(SnapshotterError) in
            let request: Request = try decoded(bytes, name)
            return .init(key: request[keyPath: key]) { (caller) throws(SnapshotterError) in
                .one(try encoded(try body(request, caller)))
            }
        }
    }

    private static func answer(_ mounts: [SnapshotMount]) throws(SnapshotterError) -> CallAnswer {
        .one(
            try encoded(
                Containerd_Services_Snapshots_V1_MountsResponse.with { $0.mounts = mounts.map(\.message) }))
    }

    private static func blocks(_ snapshots: [Snapshot]) -> CallAnswer {
        CallAnswer(count: (snapshots.count + listBlock - 1) / listBlock) { index in
            let block = snapshots[index * listBlock..<min((index + 1) * listBlock, snapshots.count)]
            let message = Containerd_Services_Snapshots_V1_ListSnapshotsResponse.with { $0.info = block.map(\.message) }
            // Only a message with required fields cannot be written, and none of containerd's has any.
            return (try? encoded(message)) ?? []
        }
    }

    private static func decoded<Request: Message>(_ bytes: [UInt8], _ method: String) throws(SnapshotterError)
        -> Request
    {
        do {
            return try Request(serializedBytes: bytes)
        } catch {
            // The parser's own words name types of this program.
            throw SnapshotterError(
                .invalidArgument,
                "the request for \(method) is no message of containerd's snapshots service, version 1")
        }
    }

    private static func encoded(_ message: some Message) throws(SnapshotterError) -> [UInt8] {
        do {
            return try message.serializedBytes()
        } catch {
            throw SnapshotterError(.internal, "the answer cannot be written: it lacks something that it must have")
        }
    }
}

extension SnapshotMount {
    fileprivate var message: Containerd_Types_Mount {
        .with { mount in
            mount.type = type
            mount.source = source
            mount.options = options
        }
    }
}

extension Snapshot {
    fileprivate var message: Containerd_Services_Snapshots_V1_Info {
        .with { info in
            info.name = key
            info.parent = parent
            info.kind =
                switch kind {
                case .active: .active
                case .view: .view
                case .committed: .committed
                }
            info.createdAt = Self.timestamp(created)
            info.updatedAt = Self.timestamp(updated)
            info.labels = labels
        }
    }

    private static func timestamp(_ time: Int64) -> Google_Protobuf_Timestamp {
        .with { timestamp in
            timestamp.seconds = time / 1_000_000_000
            timestamp.nanos = Int32(time % 1_000_000_000)
        }
    }
}
#endif
