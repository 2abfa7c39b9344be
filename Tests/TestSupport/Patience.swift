import SystemCalls

/// Waiting for another thread or the kernel.
public enum Patience {
    /// The error of a condition that has not become true in time.
    public struct TimedOut: Error, CustomStringConvertible {
        /// The limit, in a sentence.
        public let description: String
    }

    /// Waits until `condition` holds.
    ///
    /// - Parameters:
    ///   - limit: How long; far more than it should take, for a machine that is busy.
    ///   - condition: The condition.
    /// - Throws: ``TimedOut``, or the errors of `condition`.
    public static func until(_ limit: Duration = .seconds(60), _ condition: () throws -> Bool) throws {
        let happened: Bool? = try waiting(until: .after(limit)) { try condition() ? true : nil }
        if happened == nil { throw TimedOut(description: "it has not happened in \(limit)") }
    }
}
