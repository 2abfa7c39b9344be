import Glibc
import Synchronization
import SystemCalls
import SystemPackage
import TestSupport

/// The operations that run in this process, each of which must end in time.
final class RunningOperations: Sendable {
    /// The exit status of a process whose operation does not end in time.
    static let exitStatus = 3

    private struct Entry {
        let words: String
        let begin: ContinuousClock.Instant
    }

    private struct State {
        var next = 0
        var entries: [Int: Entry] = [:]
        var longest: (words: String, duration: Duration) = ("", .zero)
    }

    private let state = Mutex(State())
    /// How long an operation may take: more than its patience, with what it does besides.
    private let limit: Duration

    init(limit: Duration) {
        self.limit = limit
    }

    /// Runs `body`, and has the process end if it takes too long.
    func watching<Result>(_ words: String, _ body: () throws -> Result) rethrows -> Result {
        let begin = ContinuousClock.now
        let number = state.withLock { state in
            state.next += 1
            state.entries[state.next] = Entry(words: words, begin: begin)
            return state.next
        }
        defer {
            let duration = ContinuousClock.now - begin
            state.withLock { state in
                state.entries[number] = nil
                if duration > state.longest.duration { state.longest = (words, duration) }
            }
        }
        return try body()
    }

    /// The operation that has taken longest so far.
    var longest: String { state.withLock { "\($0.longest.words): \($0.longest.duration)" } }

    /// Starts the thread that looks at the operations.
    func watch() {
        startThread { [self] in
            while true {
                pause(for: .seconds(1))
                let late = state.withLock { state in
                    state.entries.values.filter { ContinuousClock.now - $0.begin > limit }.map(\.words)
                }
                guard !late.isEmpty else { continue }
                say("FAULT: an operation does not end within \(limit): \(late.joined(separator: "; "))")
                say("all that runs here: \(state.withLock { $0.entries.values.map(\.words) }.joined(separator: "; "))")
                exit(Int32(Self.exitStatus))
            }
        }
    }
}

/// The system calls in which all processes wait, for the report of a deadlock.
enum WaitingProcesses {
    static func report() throws -> String {
        try Shell.runForStatus(
            """
            for task in /proc/[0-9]*/task/[0-9]*; do
                [ -s "${task%/task/*}/cmdline" ] || [ "$(cut -d ' ' -f 3 "$task/stat" 2> /dev/null)" = D ] || continue
                echo "$task $(tr '\\0' ' ' < "${task%/task/*}/cmdline" | cut -c 1-150)"
                grep State "$task/status"
                echo "waits in $(cat "$task/wchan")"
                cat "$task/stack"
            done 2> /dev/null
            echo 'locks:'; cat /proc/locks
            for info in /proc/[0-9]*/fdinfo/*; do grep -H '^lock:' "$info"; done 2> /dev/null
            echo 'devices:'; dmsetup info -c; dmsetup table
            echo 'kernel:'; dmesg | tail -n 60
            """
        ).output
    }
}
