#if Daemon
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Calls that wait for one of some threads, in the order in which they came.
final class CallQueue: Sendable {
    private struct State {
        var waiting = CircularBuffer<Call>()
        /// How many threads have a call.
        var busy = 0
    }

    private let threads: Int
    private let pool: NIOThreadPool
    private let state = Mutex(State())
    private let run: @Sendable (Call) -> Void

    init(threads: Int, _ run: @escaping @Sendable (Call) -> Void) {
        self.threads = threads
        self.run = run
        pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
    }

    deinit {
        pool.shutdownGracefully { _ in }
    }

    func add(_ call: Call) {
        let needsThread = state.withLock { state in
            state.waiting.append(call)
            guard state.busy < threads else { return false }
            state.busy += 1
            return true
        }
        guard needsThread else { return }
        pool.submit { _ in
            while let call = self.next() { self.run(call) }
        }
    }

    /// Takes a call out that no thread has yet.
    ///
    /// - Returns: Whether it was there.
    func remove(_ call: Call) -> Bool {
        state.withLock { state in
            guard let index = state.waiting.firstIndex(where: { $0 === call }) else { return false }
            state.waiting.remove(at: index)
            return true
        }
    }

    private func next() -> Call? {
        state.withLock { state in
            let call = state.waiting.popFirst()
            if call == nil { state.busy -= 1 }
            return call
        }
    }
}
#endif
