#if Daemon
internal import LayerStore
internal import Synchronization

/// Figures about the service for Prometheus.
final class ServiceMetrics: Sendable {
    /// The upper ends of the classes of durations, in microseconds.
    private static let limits: [Int64] = [500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 500_000, 2_500_000]

    private struct Call: Hashable {
        let method: String
        let code: String
    }

    private struct Durations {
        var classes = [UInt64](repeating: 0, count: limits.count)
        var count: UInt64 = 0
        var microseconds: Int64 = 0
    }

    private struct State {
        /// Calls that wait for a thread.
        var waiting = 0
        /// Calls that have one.
        var running = 0
        var calls: [Call: UInt64] = [:]
        var durations: [String: Durations] = [:]
    }

    private let state = Mutex(State())

    /// Says that a call has come.
    func begin() {
        state.withLock { $0.waiting += 1 }
    }

    /// Says that a call has got a thread.
    func run() {
        state.withLock { state in
            state.waiting -= 1
            state.running += 1
        }
    }

    /// Says that a call has ended.
    ///
    /// - Parameters:
    ///   - method: The name of the method.
    ///   - code: The code of the answer: `ok`, or a ``SnapshotterError/Code``.
    ///   - duration: The duration of the call, with the wait for a thread.
    ///   - hasRun: Whether the call has ever got a thread.
    func end(_ method: String, _ code: String, _ duration: Duration, hasRun: Bool) {
        let microseconds = duration.microseconds
        state.withLock { state in
            if hasRun { state.running -= 1 } else { state.waiting -= 1 }
            state.calls[Call(method: method, code: code), default: 0] += 1
            var durations = state.durations[method] ?? Durations()
            durations.count += 1
            durations.microseconds += microseconds
            for (index, limit) in Self.limits.enumerated() where microseconds <= limit { durations.classes[index] += 1 }
            state.durations[method] = durations
        }
    }

    /// All figures, those of the pool too, in Prometheus' text format.
    ///
    /// Nothing is activated or committed for them.
    func text(_ snapshotter: Snapshotter) -> String {
        var text = MetricsText()
        addCalls(to: &text)
        text.add(
            "dmlayer_snapshotter_calls_blocked", .gauge, "Running calls that wait for another one on the same key.",
            snapshotter.gate.waiting)
        text.add("dmlayer_snapshotter_snapshots", .gauge, "Snapshots that there are.", snapshotter.count)
        // The figure is left out while the folder of the metadata cannot be read.
        if let removals = try? snapshotter.store.waitingRemovals() {
            text.add("dmlayer_removals_waiting", .gauge, "Removed layers whose space is not free yet.", removals)
        }
        text.add(
            "dmlayer_removals_failing", .gauge, "Whether the last attempt to free the space of removed layers failed.",
            snapshotter.store.removalFailure == nil ? 0 : 1)
        text.add(
            "dmlayer_snapshotter_pool_commits_total", .counter, "Commits that the pool was told to make.",
            snapshotter.store.orderedCommits)
        // The figures of the pool are left out while the pool cannot be read.
        try? snapshotter.store.poolMetrics().write(to: &text)
        return text.content
    }

    private func addCalls(to text: inout MetricsText) {
        let state = state.withLock { $0 }
        let calls = "dmlayer_snapshotter_calls_total"
        text.begin(calls, .counter, "Calls that have ended.")
        for (call, count) in state.calls.sorted(by: { ($0.key.method, $0.key.code) < ($1.key.method, $1.key.code) }) {
            text.add(calls, [("method", call.method), ("code", call.code)], count)
        }
        let duration = "dmlayer_snapshotter_call_duration_seconds"
        text.begin(duration, .histogram, "How long calls took.")
        for (method, durations) in state.durations.sorted(by: { $0.key < $1.key }) {
            for (limit, count) in zip(Self.limits, durations.classes) {
                text.add("\(duration)_bucket", [("method", method), ("le", Self.seconds(limit))], count)
            }
            text.add("\(duration)_bucket", [("method", method), ("le", "+Inf")], durations.count)
            text.add("\(duration)_sum", [("method", method)], Self.seconds(durations.microseconds))
            text.add("\(duration)_count", [("method", method)], durations.count)
        }
        text.add("dmlayer_snapshotter_calls_waiting", .gauge, "Calls that wait for a thread.", state.waiting)
        text.add("dmlayer_snapshotter_calls_running", .gauge, "Calls that have a thread.", state.running)
    }

    private static func seconds(_ microseconds: Int64) -> String {
        let fraction = String(1_000_000 + microseconds % 1_000_000).dropFirst()
        return "\(microseconds / 1_000_000).\(fraction)"
    }
}
#endif
