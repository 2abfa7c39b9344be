#if Daemon
internal import NIOCore
internal import Synchronization

/// A method of a service.
struct CallMethod: Sendable {
    /// Where a method's calls run.
    enum Place: Sendable {
        /// On the thread that reads and writes the frames: for what takes microseconds and never waits.
        case eventLoop
        /// On a thread for what is answered from memory and takes its time.
        case memory
        /// On a thread that may sleep in the kernel.
        case kernel
        /// On the event loop if ``Work/runAtOnce`` answers, and on a thread that may sleep in the kernel otherwise.
        case eventLoopOrKernel
    }

    /// The work of a call, read from its request.
    struct Work: Sendable {
        /// The subject of the call, for the log.
        let key: String
        let run: @Sendable (Caller) throws(SnapshotterError) -> CallAnswer
        /// Answers a call that takes microseconds and waits for no other operation; `nil` leaves the call to ``run``.
        var runAtOnce: (@Sendable () throws(SnapshotterError) -> CallAnswer?)?
    }

    let name: String
    let place: Place
    let read: @Sendable ([UInt8]) throws(SnapshotterError) -> Work
}

/// The messages that answer a call; each is made when the client can take it.
struct CallAnswer: Sendable {
    let count: Int
    let message: @Sendable (Int) -> [UInt8]

    static func one(_ message: [UInt8]) -> CallAnswer {
        CallAnswer(count: 1) { _ in message }
    }
}

/// A call whose request is complete.
final class Call: Sendable {
    typealias Outcome = Result<CallAnswer, SnapshotterError>

    let method: CallMethod
    let caller = Caller()
    let start = ContinuousClock.now
    private let request: Mutex<[UInt8]>
    private let completion: @Sendable (Outcome) -> Void

    /// - Parameter completion: Gets the outcome, once, on any thread.
    init(_ method: CallMethod, _ request: [UInt8], _ completion: @escaping @Sendable (Outcome) -> Void) {
        self.method = method
        self.request = Mutex(request)
        self.completion = completion
    }

    /// Reads what the request asks for, and keeps the request.
    func readRequest() throws(SnapshotterError) -> CallMethod.Work {
        try method.read(request.withLock { $0 })
    }

    /// Takes the request, which then needs no more memory.
    func takeRequest() -> [UInt8] {
        request.withLock { request in
            defer { request = [] }
            return request
        }
    }

    func end(_ outcome: Outcome) { completion(outcome) }
}
#endif
