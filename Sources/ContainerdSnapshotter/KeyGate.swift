internal import Glibc
internal import Synchronization

/// Keeps operations on one key apart, and lets those on others go on.
final class KeyGate: Sendable {
    /// For each key that is in use: how many share it, or -1 for one that has it alone.
    private let users = Mutex<[String: Int]>([:])
    private let waitingCount = Atomic(0)

    /// How many callers wait for others.
    var waiting: Int { waitingCount.load(ordering: .relaxed) }

    /// Runs `body` while nobody else works on any of `keys`, nor changes any of `shared`.
    ///
    /// All are taken at once, so that no two callers wait for each other.
    func with<Result, Failure: Error>(
        _ keys: [String], sharing shared: [String] = [], _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let shared = shared.filter { !keys.contains($0) }
        // Seldom does anybody wait here: containerd has a key of its own for nearly everything that it makes.
        if !enter(keys, shared) {
            waitingCount.add(1, ordering: .relaxed)
            repeat { usleep(1000) } while !enter(keys, shared)
            waitingCount.subtract(1, ordering: .relaxed)
        }
        defer { leave(keys, shared) }
        return try body()
    }

    private func enter(_ keys: [String], _ shared: [String]) -> Bool {
        users.withLock { users in
            guard keys.allSatisfy({ users[$0] == nil }), shared.allSatisfy({ users[$0, default: 0] >= 0 }) else {
                return false
            }
            for key in keys { users[key] = -1 }
            for key in shared { users[key, default: 0] += 1 }
            return true
        }
    }

    private func leave(_ keys: [String], _ shared: [String]) {
        users.withLock { users in
            for key in keys { users[key] = nil }
            for key in shared { users[key] = users[key] == 1 ? nil : users[key, default: 1] - 1 }
        }
    }
}
