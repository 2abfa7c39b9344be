/// The moment at which a wait ends, whether or not the thing waited for has happened.
///
/// A caller makes one deadline and passes it down, so that a call with several waits ends in time.
package struct Deadline: Hashable, Sendable {
    /// `nil` stands for a wait without an end.
    private let instant: ContinuousClock.Instant?

    private init(_ instant: ContinuousClock.Instant?) {
        self.instant = instant
    }

    /// A wait without an end.
    package static let never = Deadline(nil)
    /// The question is asked once, and nothing is waited for.
    package static var now: Deadline { Deadline(.now) }

    /// The moment `duration` from now.
    package static func after(_ duration: Duration) -> Deadline { Deadline(.now.advanced(by: duration)) }

    /// The earlier of this moment and the one `duration` from now.
    package func limited(to duration: Duration) -> Deadline {
        let limit = ContinuousClock.now.advanced(by: duration)
        return Deadline(instant.map { min($0, limit) } ?? limit)
    }

    /// Whether the moment has come.
    package var hasPassed: Bool { instant.map { .now >= $0 } ?? false }
}

/// Asks a question again and again until it has an answer.
///
/// This is the only way in which the project waits for something that cannot wake it. The pauses begin at one
/// millisecond and grow to fifty. Their lengths are random, so that two processes that wait for each other's step do not
/// stay in step.
///
/// - Parameters:
///   - deadline: When to give up. The question is asked once in any case.
///   - question: The question; `nil` means that there is no answer yet.
/// - Returns: The answer, or `nil` when there was none by the deadline.
package func waiting<Answer, Failure: Error>(
    until deadline: Deadline, _ question: () throws(Failure) -> Answer?
) throws(Failure) -> Answer? {
    var longest: useconds_t = 1_000
    while true {
        if let answer = try question() { return answer }
        if deadline.hasPassed { return nil }
        usleep(.random(in: longest / 2...longest))
        longest = min(longest * 2, 50_000)
    }
}

/// Does nothing for `duration`.
package func pause(for duration: Duration) {
    let (seconds, attoseconds) = duration.components
    guard seconds >= 0, attoseconds >= 0 else { return }
    var time = timespec(tv_sec: Int(clamping: seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    var left = time
    // `clock_nanosleep` answers the error number and leaves the rest of the time in `left`.
    while unsafe clock_nanosleep(CLOCK_MONOTONIC, 0, &time, &left) == EINTR { time = left }
}
