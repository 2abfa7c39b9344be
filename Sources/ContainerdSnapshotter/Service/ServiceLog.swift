#if Daemon
internal import SystemCalls
internal import LayerStore
public import Logging
internal import NIOPosix
internal import Synchronization
public import SystemPackage

/// Where the loggers of the service write, a line for each event on standard error: for the journal, or as JSON for programs.
///
/// A thread of its own writes the lines, so that no call waits for the reader of the log. While that reader does not
/// keep up, lines are dropped, and a later line says how many.
public final class ServiceLog: Sendable {
    private let isJSON: Bool
    private let isVerbose: Bool
    /// How many bytes may wait to be written.
    private static let longestBacklog = 1 << 20

    private struct Backlog {
        var bytes = 0
        var dropped = 0
    }

    private let output: FileDescriptor
    private let backlog = Mutex(Backlog())
    private let writer = NIOThreadPool(numberOfThreads: 1)

    /// Makes a log.
    ///
    /// - Parameters:
    ///   - isJSON: Whether each line is an object in JSON.
    ///   - isVerbose: Whether the loggers write what is of the level `debug`: a line for each call. Otherwise a call gets a line if it
    ///     failed for a reason of the store's.
    ///   - output: Where the lines go.
    public init(isJSON: Bool, isVerbose: Bool, output: FileDescriptor = .standardError) {
        self.isJSON = isJSON
        self.isVerbose = isVerbose
        self.output = output
        writer.start()
    }

    deinit {
        writer.shutdownGracefully { _ in }
    }

    /// Waits until all that was said is written, but not longer than a few seconds: its reader may have stopped reading.
    public func flush() {
        let isWritten = Semaphore()
        writer.submit { _ in isWritten.signal() }
        isWritten.wait(seconds: 2)
    }

    /// A logger that writes here.
    public var logger: Logger {
        Logger(label: "dmlayer") { _ in Handler(log: self, logLevel: isVerbose ? .debug : .info) }
    }

    private func write(_ message: String, _ level: Logger.Level, _ fields: Logger.Metadata) {
        let line = line(message, level, fields)
        let dropped = backlog.withLock { backlog -> Int? in
            guard backlog.bytes + line.utf8.count <= Self.longestBacklog else {
                backlog.dropped += 1
                return nil
            }
            backlog.bytes += line.utf8.count
            defer { backlog.dropped = 0 }
            return backlog.dropped
        }
        guard let dropped else { return }
        let notice =
            dropped == 0
            ? ""
            : self.line(
                "lines of this log are missing here, because they were not read in time", .warning,
                ["lines": "\(dropped)"])
        writer.submit { [output] _ in
            // Where the output is closed, nobody listens.
            _ = try? output.writeAll((notice + line).utf8)
            self.backlog.withLock { $0.bytes -= line.utf8.count }
        }
    }

    private func line(_ message: String, _ level: Logger.Level, _ fields: Logger.Metadata) -> String {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        let milliseconds = String(1000 + time.tv_nsec / 1_000_000).dropFirst()
        var line = isJSON ? "{\"time\":\(time.tv_sec).\(milliseconds)" : "time=\(time.tv_sec).\(milliseconds)"
        let parts = [("level", level.rawValue), ("message", message)]
        for (name, value) in parts + fields.sorted(by: { $0.key < $1.key }).map({ ($0.key, "\($0.value)") }) {
            line += isJSON ? ",\(Self.quoted(name)):\(Self.quoted(value))" : " \(name)=\(Self.quoted(value))"
        }
        return line + (isJSON ? "}\n" : "\n")
    }

    /// A text in quotation marks, as JSON has it.
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\u{0}"..<" ", "\u{7f}":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// The logger's way to the lines.
    private struct Handler: LogHandler {
        let log: ServiceLog
        var logLevel: Logger.Level
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = metadata.merging(event.metadata ?? [:]) { $1 }
            log.write(event.message.description, event.level, fields)
        }
    }
}

extension Logger {
    /// Notes the end of a call: as an error where the store failed, or else for `debug` only.
    func call(_ method: String, _ key: String, _ duration: Duration, failure: SnapshotterError?) {
        let isGrave = [.internal, .resourceExhausted, .unavailable].contains(failure?.code)
        log(
            level: isGrave ? .error : .debug, "\(failure?.description ?? "done")",
            metadata: [
                "method": "\(method)", "key": "\(key)", "microseconds": "\(duration.microseconds)",
                "code": "\(failure?.code.rawValue ?? "ok")",
            ])
    }
}

extension Duration {
    var microseconds: Int64 { components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000 }
}
#endif
