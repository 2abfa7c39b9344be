internal import Synchronization
internal import SystemCalls

/// Work that is divided among threads of its own.
enum ParallelWork {
    /// How many threads work at a time.
    static let threads = max(1, min(4, Int(sysconf(CInt(_SC_NPROCESSORS_ONLN)))))

    /// The work of one thread, and its result.
    private final class Part<Result: Sendable>: Sendable {
        let result = Mutex<Result?>(nil)
        let body: @Sendable () -> Result

        init(_ body: @escaping @Sendable () -> Result) {
            self.body = body
        }

        func run() {
            let result = body()
            self.result.withLock { $0 = result }
        }
    }

    /// Divides some places into as many ranges as there are threads, and calls `body` with each range.
    ///
    /// - Returns: The results, in the order of the ranges.
    static func map<Result: Sendable>(
        _ places: Range<Int>, _ body: @escaping @Sendable (Range<Int>) -> Result
    ) -> [Result] {
        let count = places.count < 128 ? 1 : threads
        let bounds = (0...count).map { places.lowerBound + places.count * $0 / count }
        let parts = (0..<count).map { index in Part { body(bounds[index]..<bounds[index + 1]) } }
        // The calling thread takes the first part, and every part whose thread cannot be started.
        let started = parts.dropFirst().map { part in (part, startWorker(part.run)) }
        parts[0].run()
        for (part, thread) in started {
            if let thread { pthread_join(thread, nil) } else { part.run() }
        }
        return parts.compactMap { part in part.result.withLock { $0 } }
    }
}
