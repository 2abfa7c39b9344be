public import ThinProvisioning

/// An event in the life of a pool that a monitor watches.
public struct PoolEvent: Hashable, Sendable {
    /// The kind of an event.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// The monitor begins to watch the pool.
        case watching
        /// The pool's device does not exist.
        case inactive
        /// The pool has become larger.
        case extended
        /// The pool should become larger, and cannot.
        case notExtended = "not_extended"
        /// The use of the pool has passed a level.
        case warning
        /// The pool has changed its mode.
        case mode
    }

    /// The kind of the event.
    public let kind: Kind
    /// The time in seconds since 1970.
    public let time: Int64
    /// The state of the pool at that time; `nil` when the pool is not active or has failed.
    public let state: ThinPoolState?
    /// The event in words, with advice.
    public let message: String

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(kind: Kind, time: Int64, state: ThinPoolState? = nil, message: String) {
        self.kind = kind
        self.time = time
        self.state = state
        self.message = message
    }
}
