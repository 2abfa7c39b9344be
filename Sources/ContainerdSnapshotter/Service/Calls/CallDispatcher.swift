#if Daemon
internal import Logging
internal import NIOCore

/// Runs calls, each where its method says, and counts them.
final class CallDispatcher: Sendable {
    /// Calls that are answered from memory: they never sleep, and a second one goes on beside a long list.
    private static let memoryThreads = 2

    /// The methods by the paths of requests, such as `/grpc.health.v1.Health/Check`.
    private let methods: [String: CallMethod]
    private let kernel: CallQueue
    private let memory: CallQueue
    private let run: @Sendable (Call) -> Void
    private let metrics: ServiceMetrics
    private let log: Logger

    /// - Parameters:
    ///   - services: The methods of each service, by its full name.
    ///   - threads: How many calls may be in the kernel at a time.
    ///   - metrics: Where calls are counted.
    ///   - log: Where calls are noted.
    init(_ services: [String: [CallMethod]], threads: Int, _ metrics: ServiceMetrics, _ log: Logger) {
        let methods = services.flatMap { service, methods in methods.map { ("/\(service)/\($0.name)", $0) } }
        self.methods = Dictionary(methods) { first, _ in first }
        self.metrics = metrics
        self.log = log
        let run: @Sendable (Call) -> Void = { call in Self.run(call, metrics, log) }
        self.run = run
        kernel = CallQueue(threads: threads, run)
        memory = CallQueue(threads: Self.memoryThreads, run)
    }

    /// The method that a request's path names.
    func method(_ path: String) -> CallMethod? { methods[path] }

    /// Runs a call; its outcome goes to its completion.
    func begin(_ call: Call) {
        metrics.begin()
        switch call.method.place {
        case .eventLoop: run(call)
        case .memory: memory.add(call)
        case .kernel: kernel.add(call)
        case .eventLoopOrKernel: if !runAtOnce(call) { kernel.add(call) }
        }
    }

    /// Answers a call on the event loop if it has nothing to wait for, so that no other thread has to wake.
    ///
    /// - Returns: Whether the call is answered.
    private func runAtOnce(_ call: Call) -> Bool {
        var key = ""
        let outcome: Result<CallAnswer?, SnapshotterError> = Result { () throws(SnapshotterError) in
            let work = try call.readRequest()
            key = work.key
            return try work.runAtOnce?()
        }
        let answer: Call.Outcome
        switch outcome {
        case .success(nil): return false
        case .success(let ready?): answer = .success(ready)
        case .failure(let error): answer = .failure(error)
        }
        metrics.run()
        Self.end(call, key, answer, hasRun: true, metrics, log)
        return true
    }

    /// Says that a call's caller waits no longer: a call that has not begun will not.
    func leave(_ call: Call, _ departure: Caller.Departure) {
        call.caller.leave(departure)
        guard kernel.remove(call) || memory.remove(call) else { return }
        let outcome = Call.Outcome { () throws(SnapshotterError) in
            try call.caller.check()
            return CallAnswer(count: 0) { _ in [] }
        }
        Self.end(call, "", outcome, hasRun: false, metrics, log)
    }

    private static func run(_ call: Call, _ metrics: ServiceMetrics, _ log: Logger) {
        metrics.run()
        var key = ""
        let outcome = Call.Outcome { () throws(SnapshotterError) in
            try call.caller.check()
            let work = try call.method.read(call.takeRequest())
            key = work.key
            return try work.run(call.caller)
        }
        end(call, key, outcome, hasRun: true, metrics, log)
    }

    private static func end(
        _ call: Call, _ key: String, _ outcome: Call.Outcome, hasRun: Bool, _ metrics: ServiceMetrics, _ log: Logger
    ) {
        let duration = ContinuousClock.now - call.start
        var failure: SnapshotterError?
        if case .failure(let error) = outcome { failure = error }
        metrics.end(call.method.name, failure?.code.rawValue ?? "ok", duration, hasRun: hasRun)
        log.call(call.method.name, key, duration, failure: failure)
        call.end(outcome)
    }
}
#endif
