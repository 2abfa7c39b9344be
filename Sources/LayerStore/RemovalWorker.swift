internal import Glibc
internal import Synchronization

/// When a store frees the data of the layers that were removed.
public enum RemovalPolicy: Hashable, Sendable {
    /// On a thread of its own, so that no caller waits: for a program that keeps running.
    case inBackground
    /// Before ``LayerStore/remove(_:)`` returns, and without holding a lock meanwhile: for a program that ends then.
    case beforeReturning
}

/// Does a work on a thread of its own, again and again where something must wait.
///
/// The thread is started with the first work and stays until ``stop()``: waking it costs the caller one system call,
/// starting one a dozen and a stack.
final class RemovalWorker: Sendable {
    /// Docker's period in seconds for what could not be deleted because it was in use.
    private static let period = 30

    private struct State {
        var hasThread = false
        var isStopped = false
    }

    private let state = Mutex(State())
    private let wakeUp = Semaphore()

    /// Lets the work be done soon.
    ///
    /// - Parameter work: Does what can be done and returns how much must wait, or `nil` when nobody wants it any more. It
    ///   is the same every time.
    func schedule(_ work: @escaping @Sendable () -> Int?) {
        let needsThread = state.withLock { state in
            defer { state.hasThread = true }
            return !state.hasThread
        }
        if needsThread, !startThread({ self.run(work) }) {
            // The caller does it instead.
            state.withLock { $0.hasThread = false }
            _ = work()
            return
        }
        wakeUp.signal()
    }

    /// Ends the thread, after what it is at.
    func stop() {
        state.withLock { $0.isStopped = true }
        wakeUp.signal()
    }

    private func run(_ work: () -> Int?) {
        var waiting = 0
        while true {
            wakeUp.wait(seconds: waiting > 0 ? Self.period : nil)
            guard !state.withLock(\.isStopped), let left = work() else { return }
            waiting = left
        }
    }
}

/// What a thread runs, on its way through a C function.
private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

/// Starts a thread: what blocks in the kernel must not sit on one of Swift's cooperative threads.
private func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    let retained = unsafe Unmanaged.passRetained(ThreadBody(body))
    // Signals are the program's own affair.
    var (all, previous) = (sigset_t(), sigset_t())
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_SETMASK, &all, &previous)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &previous, nil) }
    var thread = pthread_t()
    let result = unsafe pthread_create(
        &thread, nil,
        { argument in
            if let argument = unsafe argument {
                unsafe Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
            }
            return nil
        }, retained.toOpaque())
    guard result == 0 else {
        unsafe retained.release()
        return false
    }
    pthread_detach(thread)
    return true
}
