internal import LayerStore
internal import Synchronization
internal import SystemCalls

/// Keeps operations on one key apart, while operations on different keys run at the same time.
///
/// Operations get a key in the order in which they asked for it. No operation polls: one that ends wakes the next ones.
final class KeyGate: Sendable {
    /// The keys that one operation gets all at once, so that no two operations wait for each other.
    private final class Claim: Sendable {
        let keys: [SnapshotKey]
        let shared: [SnapshotKey]
        let turn = Semaphore()

        init(_ keys: [String], sharing shared: [String]) {
            let keys = Set(keys.map(SnapshotKey.init))
            self.keys = Array(keys)
            self.shared = shared.map(SnapshotKey.init).filter { !keys.contains($0) }
        }
    }

    private struct State {
        /// For each key that is in use: how many share it, or -1 for one that has it alone.
        var users: [SnapshotKey: Int] = [:]
        /// The claims that wait, in the order in which they came.
        var waiting: [Claim] = []

        /// Gives a claim its keys if they are free, and no claim before it waits for any of them.
        ///
        /// - Parameter reserved: The keys that earlier claims wait for; `true` for a key that one of them wants alone.
        mutating func take(_ claim: Claim, _ reserved: [SnapshotKey: Bool]) -> Bool {
            guard claim.keys.allSatisfy({ users[$0] == nil && reserved[$0] == nil }),
                claim.shared.allSatisfy({ users[$0, default: 0] >= 0 && reserved[$0] != true })
            else { return false }
            for key in claim.keys { users[key] = -1 }
            for key in claim.shared { users[key, default: 0] += 1 }
            return true
        }

        static func reserve(_ claim: Claim, in reserved: inout [SnapshotKey: Bool]) {
            for key in claim.keys { reserved[key] = true }
            for key in claim.shared where reserved[key] == nil { reserved[key] = false }
        }

        /// Takes the claims whose turn it is out of those that wait.
        mutating func admit() {
            guard !waiting.isEmpty else { return }
            var reserved: [SnapshotKey: Bool] = [:]
            var left: [Claim] = []
            for claim in waiting {
                if take(claim, reserved) {
                    claim.turn.signal()
                } else {
                    Self.reserve(claim, in: &reserved)
                    left.append(claim)
                }
            }
            waiting = left
        }
    }

    private let state = Mutex(State())

    /// How many operations wait for other operations.
    var waiting: Int { state.withLock { $0.waiting.count } }

    /// Runs `body` while no other operation works on any of `keys`, nor changes any of `shared`.
    func with<Result, Failure: Error>(
        _ keys: [String], sharing shared: [String] = [], _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let claim = Claim(keys, sharing: shared)
        _ = enter(claim, nil)
        defer { leave(claim) }
        return try body()
    }

    /// Runs `body` so, unless its caller has left before its turn.
    ///
    /// - Throws: The errors of `body`; ``SnapshotterError/Code/cancelled`` or
    ///   ``SnapshotterError/Code/deadlineExceeded`` if `body` did not run.
    func with<Result>(
        _ keys: [String], sharing shared: [String] = [], for caller: Caller?,
        _ body: () throws(SnapshotterError) -> Result
    ) throws(SnapshotterError) -> Result {
        let claim = Claim(keys, sharing: shared)
        if enter(claim, caller) {
            defer { leave(claim) }
            try caller?.check()
            return try body()
        }
        try caller?.check()
        throw SnapshotterError(.cancelled, "the call was taken back before it began")
    }

    /// Runs `body` if no other operation works on `key` or waits for it.
    ///
    /// - Returns: `nil` if `body` did not run, and what it returns otherwise.
    func withIfFree<Result, Failure: Error>(
        _ key: String, _ body: () throws(Failure) -> Result?
    ) throws(Failure) -> Result? {
        let claim = Claim([key], sharing: [])
        guard takeIfFree(claim, orWait: false) else { return nil }
        LockOrder.didTake(.keys, claim)
        defer { leave(claim) }
        return try body()
    }

    /// - Returns: Whether the claim has what it needs; otherwise its caller has left.
    private func enter(_ claim: Claim, _ caller: Caller?) -> Bool {
        LockOrder.willWait(for: .keys, claim)
        let hasEntered = waitForTurn(claim, caller)
        if hasEntered { LockOrder.didTake(.keys, claim) }
        return hasEntered
    }

    private func waitForTurn(_ claim: Claim, _ caller: Caller?) -> Bool {
        if takeIfFree(claim, orWait: true) { return true }
        caller?.onLeaving { claim.turn.signal() }
        claim.turn.wait(seconds: nil)
        caller?.onLeaving(nil)
        return state.withLock { state in
            guard let index = state.waiting.firstIndex(where: { $0 === claim }) else { return true }
            // Later claims may have waited for this one only.
            state.waiting.remove(at: index)
            state.admit()
            return false
        }
    }

    /// - Parameter orWait: Whether a claim that cannot have its keys gets a place among those that wait.
    private func takeIfFree(_ claim: Claim, orWait: Bool) -> Bool {
        state.withLock { state in
            var reserved: [SnapshotKey: Bool] = [:]
            for earlier in state.waiting { State.reserve(earlier, in: &reserved) }
            if state.take(claim, reserved) { return true }
            if orWait { state.waiting.append(claim) }
            return false
        }
    }

    private func leave(_ claim: Claim) {
        LockOrder.didRelease(.keys, claim)
        state.withLock { state in
            for key in claim.keys { state.users[key] = nil }
            for key in claim.shared {
                let left = state.users[key, default: 1] - 1
                state.users[key] = left > 0 ? left : nil
            }
            state.admit()
        }
    }
}
