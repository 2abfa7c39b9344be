#if Daemon
internal import GRPCCore
internal import LayerStore
internal import NIOPosix
internal import SwiftProtobuf

/// containerd's service: each call goes to the snapshotter, on a thread that may block in the kernel.
struct SnapshotsService: Containerd_Services_Snapshots_V1_Snapshots.SimpleServiceProtocol {
    typealias Wire = Containerd_Services_Snapshots_V1_Snapshots

    let snapshotter: Snapshotter
    let threads: NIOThreadPool
    let log: ServiceLog
    let metrics: ServiceMetrics

    /// How many snapshots a message of a list has, as containerd's own service does it.
    private static let listBlock = 100

    func prepare(
        request: Containerd_Services_Snapshots_V1_PrepareSnapshotRequest, context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_PrepareSnapshotResponse {
        let mounts = try await run("Prepare", request.key) {
            try snapshotter.prepare(request.key, parent: request.parent, kind: .active, labels: request.labels)
        }
        return .with { $0.mounts = mounts.map(\.message) }
    }

    func view(
        request: Containerd_Services_Snapshots_V1_ViewSnapshotRequest, context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_ViewSnapshotResponse {
        let mounts = try await run("View", request.key) {
            try snapshotter.prepare(request.key, parent: request.parent, kind: .view, labels: request.labels)
        }
        return .with { $0.mounts = mounts.map(\.message) }
    }

    func mounts(
        request: Containerd_Services_Snapshots_V1_MountsRequest, context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_MountsResponse {
        let mounts = try await run("Mounts", request.key) { try snapshotter.mounts(request.key) }
        return .with { $0.mounts = mounts.map(\.message) }
    }

    func commit(
        request: Containerd_Services_Snapshots_V1_CommitSnapshotRequest, context: ServerContext
    ) async throws -> Google_Protobuf_Empty {
        try await run("Commit", request.key) {
            try snapshotter.commit(
                request.key, as: request.name, parent: request.parent, labels: request.labels)
        }
        return Google_Protobuf_Empty()
    }

    func remove(
        request: Containerd_Services_Snapshots_V1_RemoveSnapshotRequest, context: ServerContext
    ) async throws -> Google_Protobuf_Empty {
        try await run("Remove", request.key) { try snapshotter.remove(request.key) }
        return Google_Protobuf_Empty()
    }

    func stat(
        request: Containerd_Services_Snapshots_V1_StatSnapshotRequest, context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_StatSnapshotResponse {
        let snapshot = try await run("Stat", request.key) { try snapshotter.stat(request.key) }
        return .with { $0.info = snapshot.message }
    }

    func update(
        request: Containerd_Services_Snapshots_V1_UpdateSnapshotRequest, context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_UpdateSnapshotResponse {
        let snapshot = try await run("Update", request.info.name) {
            try snapshotter.update(
                request.info.name, labels: request.info.labels, paths: request.updateMask.paths)
        }
        return .with { $0.info = snapshot.message }
    }

    func list(
        request: Containerd_Services_Snapshots_V1_ListSnapshotsRequest,
        response: RPCWriter<Containerd_Services_Snapshots_V1_ListSnapshotsResponse>, context: ServerContext
    ) async throws {
        // A copy is sent, and no lock is held meanwhile: the client asks for details while it reads.
        let snapshots = try await run("List", "") { try snapshotter.list(request.filters) }
        for start in stride(from: 0, to: snapshots.count, by: Self.listBlock) {
            let block = snapshots[start..<min(start + Self.listBlock, snapshots.count)]
            try await response.write(.with { $0.info = block.map(\.message) })
        }
    }

    func usage(
        request: Containerd_Services_Snapshots_V1_UsageRequest, context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_UsageResponse {
        let usage = try await run("Usage", request.key) { try snapshotter.usage(request.key) }
        return .with { $0.size = Int64(clamping: usage.bytes) }
    }

    func cleanup(
        request: Containerd_Services_Snapshots_V1_CleanupRequest, context: ServerContext
    ) async throws -> Google_Protobuf_Empty {
        try await run("Cleanup", "") { snapshotter.cleanUp() }
        return Google_Protobuf_Empty()
    }

    /// Runs a call on a thread of its own; its error becomes one of gRPC's.
    private func run<Result: Sendable>(
        _ method: String, _ key: String, _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        metrics.begin()
        let start = ContinuousClock.now
        var outcome: Swift.Result<Result, any Error>
        var hasRun = false
        do {
            outcome = try await threads.runIfActive {
                metrics.run()
                return Swift.Result { try body() }
            }
            hasRun = true
        } catch {
            outcome = .failure(error)
        }
        let duration = ContinuousClock.now - start
        switch outcome {
        case .success(let result):
            metrics.end(method, "ok", duration, hasRun: hasRun)
            log.call(method, key, duration, failure: nil)
            return result
        case .failure(let error):
            let failure = error as? SnapshotterError ?? SnapshotterError(.unavailable, "the service ends: \(error)")
            metrics.end(method, failure.code.rawValue, duration, hasRun: hasRun)
            log.call(method, key, duration, failure: failure)
            throw RPCError(code: failure.code.status, message: failure.description)
        }
    }
}

extension SnapshotterError.Code {
    fileprivate var status: RPCError.Code {
        switch self {
        case .invalidArgument: .invalidArgument
        case .notFound: .notFound
        case .alreadyExists: .alreadyExists
        case .resourceExhausted: .resourceExhausted
        case .failedPrecondition: .failedPrecondition
        case .unavailable: .unavailable
        case .internal: .internalError
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
