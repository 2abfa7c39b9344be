internal import Synchronization

/// When a store frees the data of the layers that were removed.
public enum RemovalPolicy: Hashable, Sendable {
    /// On a thread of its own, so that no caller waits: for a program that keeps running.
    case inBackground
    /// Before ``LayerStore/remove(_:)`` returns, and without holding a lock meanwhile: for a program that ends then.
    case beforeReturning
}

/// The removals whose data is not free yet, and when they are ended.
final class RemovalQueue: Sendable {
    /// Docker's period in seconds for what could not be deleted because it was in use.
    private static let period = 30

    let policy: RemovalPolicy
    private let thread = BackgroundThread(period: period)
    private let work = Mutex<(@Sendable () throws -> Int)?>(nil)
    private let lastFailure = Mutex<String?>(nil)
    private let onFailure = Mutex<(@Sendable (String) -> Void)?>(nil)

    init(_ policy: RemovalPolicy) {
        self.policy = policy
    }

    /// Says how removals are ended.
    ///
    /// It is called once, before anything is scheduled.
    ///
    /// - Parameter work: Ends the removals that can be ended, and returns how many must wait.
    func install(_ work: @escaping @Sendable () throws -> Int) { self.work.withLock { $0 = work } }

    /// Has a removal that begins to fail reported, once for each reason.
    func noteFailures(_ note: @escaping @Sendable (String) -> Void) { onFailure.withLock { $0 = note } }

    /// Has the removals that wait ended: soon, or now if this program does not keep running.
    func schedule() {
        switch policy {
        // A removal that fails now is tried again later, and is no reason for the caller to fail.
        case .beforeReturning: _ = run()
        case .inBackground: thread.schedule { [weak self] in self?.run() }
        }
    }

    /// Ends the background work, after the removal that it is ending.
    func stop() { thread.stop() }

    /// Why the last attempt to end the removals failed; `nil` when it did not.
    var failure: String? { lastFailure.withLock { $0 } }

    private func run() -> Int {
        guard let work = work.withLock({ $0 }) else { return 0 }
        do {
            let waiting = try work()
            lastFailure.withLock { $0 = nil }
            return waiting
        } catch {
            let reason = "\(error)"
            let isNew = lastFailure.withLock { last in
                defer { last = reason }
                return last != reason
            }
            if isNew { onFailure.withLock { $0 }?(reason) }
            return 1
        }
    }
}
