public import Glibc
import Synchronization

/// Runs `body` on `count` threads at the same time and waits for all of them.
///
/// Threads of their own, because the calls under test sleep in the kernel and Swift's concurrency has one thread per
/// processor.
///
/// - Returns: The results or errors of the calls, in the order of the index that each was given.
public func onThreads<Result: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (Int) throws -> Result
) -> [Swift.Result<Result, any Error>] {
    let results = Results<Result>()
    var threads: [pthread_t] = []
    for index in 0..<count {
        let thread = startThread { results.store(Swift.Result { try body(index) }, at: index) }
        threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
    return results.inOrder
}

/// Runs `body` on a thread of its own, as another process would do it: locks that it takes are not those of the caller's thread.
///
/// - Returns: The result of `body`.
public func elsewhere<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) throws -> Result {
    let results = onThreads(1) { _ in try body() }
    return try results[0].get()
}

/// Runs `body` on a thread of its own.
@discardableResult
public func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
    var thread = pthread_t()
    let created = unsafe pthread_create(
        &thread, nil,
        { argument in
            if let argument = unsafe argument {
                unsafe Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run()
            }
            return nil
        }, Unmanaged.passRetained(Work(body)).toOpaque())
    precondition(created == 0, "no thread")
    return thread
}

private final class Work: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

private final class Results<Value: Sendable>: Sendable {
    private let values = Mutex<[Int: Result<Value, any Error>]>([:])

    func store(_ value: Result<Value, any Error>, at index: Int) {
        values.withLock { $0[index] = value }
    }

    var inOrder: [Result<Value, any Error>] {
        values.withLock { values in values.keys.sorted().compactMap { values[$0] } }
    }
}
