/// A point in time, since 1970 began in UTC.
public struct Timestamp: Hashable, Sendable {
    /// Whole seconds, negative before 1970.
    public var seconds: Int64
    /// The nanoseconds to add to the seconds, 0 to 999,999,999.
    public var nanoseconds: UInt32

    /// Makes a point in time.
    public init(seconds: Int64, nanoseconds: UInt32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}
