internal import Glibc
internal import LayerStore
internal import Synchronization
internal import SystemPackage
internal import ThinProvisioning

/// Figures about a pool in the text format of Prometheus, in a file for its node exporter.
final class PoolMetrics: Sendable {
    private struct Counters {
        var extensions = 0
        var lastExtension: Int64 = 0
        var failures = 0
    }

    private let file: FilePath
    private let pool: String
    private let counters = Mutex(Counters())

    init(_ file: FilePath, pool: String) {
        self.file = file
        self.pool = pool
    }

    /// Writes the file anew, so that a reader sees the old or the new one.
    func note(_ event: PoolMonitor.Event) {
        let text = counters.withLock { counters in
            if event.kind == .extended {
                counters.extensions += 1
                counters.lastExtension = event.time
            }
            if event.kind == .notExtended { counters.failures += 1 }
            return content(event, counters)
        }
        let temporary = FilePath(file.string + ".tmp")
        do {
            let opened = try FileDescriptor.open(
                temporary, .writeOnly, options: [.create, .truncate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
            try opened.closeAfter { _ = try opened.writeAll(text.utf8) }
            guard unsafe rename(temporary.string, file.string) == 0 else { throw Errno(rawValue: errno) }
        } catch {
            Output.note("cannot write \(file): \(error)")
        }
    }

    private func content(_ event: PoolMonitor.Event, _ counters: Counters) -> String {
        var text = ""
        func add(_ name: String, _ type: String, _ help: String, _ value: String) {
            text += "# HELP dmlayer_pool_\(name) \(help)\n# TYPE dmlayer_pool_\(name) \(type)\n"
            text += "dmlayer_pool_\(name){pool=\"\(pool)\"} \(value)\n"
        }
        add("up", "gauge", "Whether the pool is active and answers.", event.state == nil ? "0" : "1")
        if let state = event.state {
            add("data_used_bytes", "gauge", "Data in use.", "\(state.data.usedBytes)")
            add("data_size_bytes", "gauge", "Size of the data.", "\(state.data.totalBytes)")
            add("metadata_used_bytes", "gauge", "Metadata in use.", "\(state.metadata.usedBytes)")
            add("metadata_size_bytes", "gauge", "Size of the metadata.", "\(state.metadata.totalBytes)")
            add("read_write", "gauge", "Whether the pool takes changes.", state.mode == .readWrite ? "1" : "0")
            add(
                "out_of_data_space", "gauge", "Whether writes wait for space.",
                state.mode == .outOfDataSpace ? "1" : "0")
            add("needs_check", "gauge", "Whether the metadata must be checked.", state.needsCheck ? "1" : "0")
        }
        add("extensions_total", "counter", "How often the pool was made larger.", "\(counters.extensions)")
        add("extension_failures_total", "counter", "How often that could not be done.", "\(counters.failures)")
        add("last_extension_timestamp_seconds", "gauge", "When it was made larger last.", "\(counters.lastExtension)")
        add("last_event_timestamp_seconds", "gauge", "When these figures were taken.", "\(event.time)")
        return text
    }
}
