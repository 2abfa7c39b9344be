internal import Synchronization
internal import SystemCalls

/// Does a work on a thread of its own, again and again where something must wait.
///
/// The thread starts with the first work and stays until ``stop()``: waking it costs the caller one system call, starting
/// it a dozen and a stack.
final class BackgroundThread: Sendable {
    private struct State {
        var hasThread = false
        var isStopped = false
    }

    /// After how many seconds the work is done again where something must wait.
    private let period: Int
    private let state = Mutex(State())
    private let wakeUp = Semaphore()

    init(period: Int) {
        self.period = period
    }

    /// Has the work done soon.
    ///
    /// - Parameter work: Does what can be done and returns how much must wait, or `nil` when the thread is to end. It is
    ///   the same every time.
    func schedule(_ work: @escaping @Sendable () -> Int?) {
        let needsThread = state.withLock { state in
            defer { state.hasThread = true }
            return !state.hasThread
        }
        if needsThread {
            guard let thread = startWorker({ self.run(work) }) else {
                // The caller does it instead.
                state.withLock { $0.hasThread = false }
                _ = work()
                return
            }
            pthread_detach(thread)
        }
        wakeUp.signal()
    }

    /// Ends the thread, after the work that it is doing.
    func stop() {
        state.withLock { $0.isStopped = true }
        wakeUp.signal()
    }

    private func run(_ work: () -> Int?) {
        var left = 0
        while true {
            wakeUp.wait(seconds: left > 0 ? period : nil)
            guard !state.withLock(\.isStopped), let waiting = work() else { return }
            left = waiting
        }
    }
}
