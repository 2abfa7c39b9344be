import Glibc
import Synchronization
import SystemCalls
import SystemPackage
import TestSupport

/// The processes beside the lanes: a monitor and a service, which end and begin again.
final class Companions: Sendable {
    private struct State {
        var isEnding = false
        var faults: [String] = []
        var left = 0
    }

    private let settings: RoundSettings
    private let state = Mutex(State())

    init(_ settings: RoundSettings) {
        self.settings = settings
    }

    func start() {
        if settings.hasMonitor {
            keep("monitor", "pool monitor --threshold 99", signals: [SIGTERM, SIGKILL])
        }
        if settings.hasService {
            keep("service", "serve --socket '\(settings.work)/socket'", signals: [SIGTERM, SIGTERM, SIGKILL])
        }
    }

    /// Ends all of them.
    ///
    /// - Returns: The faults that were found.
    func end() throws -> [String] {
        state.withLock { $0.isEnding = true }
        try Patience.until(.seconds(settings.limit + 30)) { state.withLock { $0.left == 0 } }
        return state.withLock(\.faults)
    }

    /// Starts a command again and again, and ends it after a time.
    private func keep(_ name: String, _ arguments: String, signals: [CInt]) {
        state.withLock { $0.left += 1 }
        startThread { [self] in
            var random = SeededRandom(seed: settings.laneSeed(process: 99, thread: name.utf8.count))
            while !state.withLock(\.isEnding) {
                do {
                    try runOnce(name, arguments, signals.randomElement(using: &random) ?? SIGTERM, using: &random)
                } catch {
                    state.withLock { $0.faults.append("the \(name): \(error)") }
                }
            }
            state.withLock { $0.left -= 1 }
        }
    }

    private func runOnce(
        _ name: String, _ arguments: String, _ signal: CInt, using random: inout SeededRandom
    ) throws {
        let log = FilePath("\(settings.work)/\(name).log")
        let process = try ChildProcess("exec \(settings.command) \(arguments)", output: log)
        let end = ContinuousClock.now + .milliseconds(Int.random(in: 500...8000, using: &random))
        while try process.isRunning, ContinuousClock.now < end, !state.withLock(\.isEnding) {
            pause(for: .milliseconds(50))
        }
        // It may end by itself where a shutdown takes its pool away.
        let endedItself = try !process.isRunning
        process.send(signal)
        guard let status = try process.wait(.seconds(60)) else {
            process.send(SIGKILL)
            throw StressError("it does not end after signal \(signal): \(try TextFile.read(log))")
        }
        guard endedItself, status != 0 else { return }
        let words = try TextFile.read(log)
        // A trap, or an answer that no shutdown explains.
        if status > 1 { throw StressError("it ended with status \(status): \(words)") }
        pause(for: .milliseconds(100))
    }
}
