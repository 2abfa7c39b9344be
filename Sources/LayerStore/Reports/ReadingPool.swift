internal import ThinProvisioning

/// Asking the pool for its state without a lock, so that an answer comes at any time.
///
/// Another operation may take the pool down meanwhile. So a question that fails is asked again with the store's lock, which
/// keeps the pool where it is; the second answer counts.
extension StoreCore {
    /// Runs `body` with the pool, which is activated if it is not active.
    func readingPool<Result>(_ body: (ThinPool) throws -> Result) throws -> Result {
        // The session that activates the pool ends the waiting removals behind it, so the pool is asked after that session.
        let found = try pool.active() ?? StoreSession.run(in: self) { session, _ in session.pool }
        // The second answer has the reason.
        if let answer = try? body(found) { return answer }
        return try StoreSession.run(in: self) { session, _ in try body(session.pool) }
    }

    /// Runs `body` with the pool, unless it is not active.
    func readingPoolIfActive<Result>(_ body: (ThinPool) throws -> Result) throws -> Result? {
        guard let found = try pool.active() else { return nil }
        // The second answer has the reason.
        if let answer = try? body(found) { return answer }
        return try StoreSession.runIfActive(in: self) { session, _ in try body(session.pool) }
    }
}
