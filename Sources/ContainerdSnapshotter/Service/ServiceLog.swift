#if Daemon
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// What the service has to say, a line for each event on standard error: for the journal, or as JSON for programs.
public final class ServiceLog: Sendable {
    private let isJSON: Bool
    private let isVerbose: Bool
    private let lock = Mutex(())

    /// Makes a log.
    ///
    /// - Parameters:
    ///   - isJSON: Whether each line is an object in JSON.
    ///   - isVerbose: Whether each call gets a line; otherwise those that failed for a reason of the store's.
    public init(isJSON: Bool, isVerbose: Bool) {
        self.isJSON = isJSON
        self.isVerbose = isVerbose
    }

    /// Says something.
    public func note(
        _ message: String, level: String = "info", _ fields: [(name: String, value: String)] = []
    ) {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        let milliseconds = String(1000 + time.tv_nsec / 1_000_000).dropFirst()
        var line = isJSON ? "{\"time\":\(time.tv_sec).\(milliseconds)" : "time=\(time.tv_sec).\(milliseconds)"
        for (name, value) in [(name: "level", value: level), (name: "message", value: message)] + fields {
            line += isJSON ? ",\(Self.quoted(name)):\(Self.quoted(value))" : " \(name)=\(Self.quoted(value))"
        }
        line += isJSON ? "}\n" : "\n"
        // Where standard error is closed, nobody listens.
        lock.withLock { _ in _ = try? FileDescriptor.standardError.writeAll(line.utf8) }
    }

    func call(_ method: String, _ key: String, _ duration: Duration, failure: SnapshotterError?) {
        let isGrave = [.internal, .resourceExhausted, .unavailable].contains(failure?.code)
        guard isVerbose || isGrave else { return }
        var fields = [
            (name: "method", value: method), (name: "key", value: key),
            (name: "microseconds", value: String(duration.microseconds)),
        ]
        fields.append((name: "code", value: failure?.code.rawValue ?? "ok"))
        note(failure?.description ?? "done", level: isGrave ? "error" : "info", fields)
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
}

extension Duration {
    var microseconds: Int64 { components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000 }
}
#endif
