#if DEBUG
internal import Synchronization

/// Keeps, in debug builds, which locks each thread has, and stops the program when one waits against the order.
///
/// A program need not come to a deadlock to be stopped: one thread that takes two locks in the wrong order is enough.
package final class LockOrderRecorder: Sendable {
    private struct Held {
        let kind: LockOrder.Kind
        let place: Int64
        var isExclusive: Bool
        let owner: ObjectIdentifier
    }

    private struct State {
        /// The locks that were taken on each thread, in the order in which they were taken.
        var held: [Int: [Held]] = [:]
        /// For each pair of kinds, the chain of locks in which the second one was first waited for behind the first one.
        var chains: [LockOrder.Kind: [LockOrder.Kind: String]] = [:]
    }

    /// The recorder of all locks of this process.
    package static let ofProcess = LockOrderRecorder { preconditionFailure($0) }

    private let state = Mutex(State())
    private let report: @Sendable (String) -> Void

    /// - Parameter report: Gets what is wrong.
    package init(report: @escaping @Sendable (String) -> Void) {
        self.report = report
    }

    package func willWait(for kind: LockOrder.Kind, at place: Int64, _ isExclusive: Bool, _ owner: ObjectIdentifier?) {
        let thread = ThreadNumber.current
        let fault = state.withLock { state -> String? in
            let held = state.held[thread] ?? []
            let chain = held.map(Self.words).joined(separator: ", ") + ", and waits for \(kind)"
            for lock in held {
                if let fault = Self.fault(of: lock, kind, place, isExclusive, owner) {
                    let opposite = state.chains[kind]?[lock.kind].map { "; another time a thread had \($0)" } ?? ""
                    return "the order of locks is broken: \(fault). The thread has \(chain)\(opposite)"
                }
                if state.chains[lock.kind]?[kind] == nil { state.chains[lock.kind, default: [:]][kind] = chain }
            }
            return nil
        }
        if let fault { report(fault) }
    }

    package func didTake(_ kind: LockOrder.Kind, at place: Int64, _ isExclusive: Bool, _ owner: ObjectIdentifier) {
        state.withLock { state in
            for (thread, locks) in state.held {
                guard let index = locks.firstIndex(where: { Self.is($0, kind, place, owner) }) else { continue }
                state.held[thread]?[index].isExclusive = isExclusive
                return
            }
            state.held[ThreadNumber.current, default: []].append(
                Held(kind: kind, place: place, isExclusive: isExclusive, owner: owner))
        }
    }

    package func didRelease(_ kind: LockOrder.Kind, at place: Int64, _ owner: ObjectIdentifier) {
        drop { Self.is($0, kind, place, owner) }
    }

    package func didReleaseAll(_ owner: ObjectIdentifier) {
        drop { $0.owner == owner }
    }

    /// Forgets locks, also those that another thread took.
    private func drop(where matches: (Held) -> Bool) {
        state.withLock { state in
            for (thread, locks) in state.held {
                let left = locks.filter { !matches($0) }
                state.held[thread] = left.isEmpty ? nil : left
            }
        }
    }

    /// Why a thread that has `lock` must not wait for another one; `nil` if it may.
    private static func fault(
        of lock: Held, _ kind: LockOrder.Kind, _ place: Int64, _ isExclusive: Bool, _ owner: ObjectIdentifier?
    ) -> String? {
        if lock.kind != kind {
            return lock.kind.rawValue < kind.rawValue ? nil : "\(kind) comes before \(lock.kind)"
        }
        if lock.place != place {
            return lock.place < place ? nil : "of two locks on \(kind) the one at \(place) comes before \(lock.place)"
        }
        if lock.owner == owner {
            // Two owners that have it shared, and both want it alone, would wait for each other.
            return isExclusive && !lock.isExclusive ? "\(kind) is held shared, and must be given up before" : nil
        }
        return isExclusive || lock.isExclusive ? "the thread waits for \(kind), which it has itself" : nil
    }

    private static func `is`(
        _ held: Held, _ kind: LockOrder.Kind, _ place: Int64, _ owner: ObjectIdentifier
    ) -> Bool {
        held.kind == kind && held.place == place && held.owner == owner
    }

    private static func words(_ held: Held) -> String {
        "\(held.kind)\(held.place == 0 ? "" : " at \(held.place)")\(held.isExclusive ? "" : " (shared)")"
    }
}

/// The number of a thread, which no later thread gets: the C library's number of a thread is used again.
private enum ThreadNumber {
    private static let last = Atomic(0)
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        unsafe pthread_key_create(&key, nil)
        return key
    }()

    static var current: Int {
        if let known = unsafe pthread_getspecific(key) { return Int(bitPattern: known) }
        let number = last.add(1, ordering: .relaxed).newValue
        unsafe pthread_setspecific(key, UnsafeRawPointer(bitPattern: number))
        return number
    }
}
#endif
