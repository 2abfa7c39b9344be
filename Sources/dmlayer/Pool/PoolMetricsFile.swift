internal import LayerStore
internal import Synchronization
internal import SystemCalls
internal import SystemPackage
internal import ThinProvisioning

/// Metrics of a pool in the text format of Prometheus, in a file for Prometheus' node exporter.
final class PoolMetricsFile: Sendable {
    private struct Progress {
        var extensions = 0
        var lastExtension: Int64 = 0
        var failures = 0
        /// The reason why the file could not be written the last time.
        var complaint: String?
    }

    private let file: FilePath
    private let pool: String
    private let progress = Mutex(Progress())

    init(_ file: FilePath, pool: String) {
        self.file = file
        self.pool = pool
    }

    /// Counts an event, and takes the figures of that time.
    func note(_ event: PoolEvent) {
        progress.withLock { progress in
            if event.kind == .extended {
                progress.extensions += 1
                progress.lastExtension = event.time
            }
            if event.kind == .notExtended { progress.failures += 1 }
        }
        write(PoolMetrics(pool: pool, condition: condition(event), state: event.state), takenAt: event.time)
    }

    /// Takes the figures of a pool that is active.
    func note(_ state: ThinPoolState) {
        write(PoolMetrics(pool: pool, condition: state.mode.condition, state: state), takenAt: Int64(time(nil)))
    }

    /// Replaces the file, so that a reader sees either the old or the new content.
    private func write(_ metrics: PoolMetrics, takenAt time: Int64) {
        let text = progress.withLock { content(metrics, $0, takenAt: time) }
        let temporary = FilePath(file.string + ".tmp")
        do {
            let opened = try FileDescriptor.open(
                temporary, .writeOnly, options: [.create, .truncate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
            try opened.closeAfter { _ = try opened.writeAll(text.utf8) }
            try systemCall { unsafe rename(temporary.string, file.string) }
            complain(nil)
        } catch {
            complain("cannot write \(file): \(error)")
        }
    }

    /// Says a reason once, because the file is written every ten seconds.
    private func complain(_ complaint: String?) {
        let isNew = progress.withLock { progress in
            defer { progress.complaint = complaint }
            return progress.complaint != complaint
        }
        if isNew, let complaint { Output.note(complaint) }
    }

    private func content(_ metrics: PoolMetrics, _ progress: Progress, takenAt time: Int64) -> String {
        var text = MetricsText()
        metrics.write(to: &text)
        func add(_ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: some CustomStringConvertible) {
            text.add("dmlayer_pool_" + name, kind, help, labels: metrics.labels, value)
        }
        add("extensions_total", .counter, "How often the pool was made larger.", progress.extensions)
        add("extension_failures_total", .counter, "How often that could not be done.", progress.failures)
        add("last_extension_timestamp_seconds", .gauge, "When it was made larger last.", progress.lastExtension)
        add("last_event_timestamp_seconds", .gauge, "When these figures were taken.", time)
        return text.content
    }

    private func condition(_ event: PoolEvent) -> PoolReport.Condition? {
        switch event.kind {
        case .inactive: .inactive
        // Without a state the pool could not be examined, and its condition is not known.
        case .notExtended: event.state?.mode.condition
        default: event.state?.mode.condition ?? .failed
        }
    }
}
