internal import Synchronization

/// The caller of an operation.
///
/// An operation whose caller leaves before it has begun does not run: while its call waits for a thread, or for another
/// operation on the same snapshot. An operation that has begun goes on to its end, so that nothing is left half done.
public final class Caller: Sendable {
    /// Why a caller waits no longer.
    public enum Departure: Sendable {
        /// The caller has taken its call back, or its connection has ended.
        case cancelled
        /// The caller's deadline has passed.
        case deadlineExceeded
    }

    private struct State {
        var departure: Departure?
        var wake: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// A caller that waits until it says otherwise.
    public init() {}

    /// Says that the caller waits no longer; only the first reason counts.
    public func leave(_ departure: Departure) {
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            guard state.departure == nil else { return nil }
            state.departure = departure
            return state.wake
        }
        wake?()
    }

    /// Checks that the caller waits.
    ///
    /// - Throws: ``SnapshotterError/Code/cancelled`` or ``SnapshotterError/Code/deadlineExceeded``.
    func check() throws(SnapshotterError) {
        switch state.withLock({ $0.departure }) {
        case nil: return
        case .cancelled:
            throw SnapshotterError(.cancelled, "the client has taken its call back before it began")
        case .deadlineExceeded:
            throw SnapshotterError(.deadlineExceeded, "the call's deadline passed before the call began")
        }
    }

    /// Has `wake` called when the caller leaves: at once if it has left already; `nil` ends that.
    func onLeaving(_ wake: (@Sendable () -> Void)?) {
        let hasLeft = state.withLock { state in
            state.wake = wake
            return state.departure != nil
        }
        if hasLeft { wake?() }
    }
}
