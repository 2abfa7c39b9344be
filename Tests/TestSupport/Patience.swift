import SystemCalls

/// Waiting for what happens on another thread or in the kernel's own time.
public enum Patience {
    /// What did not happen.
    public struct TimedOut: Error, CustomStringConvertible {
        /// What was waited for.
        public let description: String
    }

    /// Waits until `condition` holds.
    ///
    /// - Parameters:
    ///   - limit: How long; far more than it should take, for a machine that is busy.
    ///   - condition: What is waited for.
    /// - Throws: ``TimedOut``, or what `condition` throws.
    public static func until(_ limit: Duration = .seconds(60), _ condition: () throws -> Bool) throws {
        let happened: Bool? = try waiting(until: .after(limit)) { try condition() ? true : nil }
        if happened == nil { throw TimedOut(description: "it has not happened in \(limit)") }
    }
}
