/// The number of a thin device within its pool.
public struct ThinDeviceID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The number, below 2^24.
    public let value: UInt32

    /// The largest number that a pool takes.
    public static let maximum = ThinDeviceID(unchecked: (1 << 24) - 1)

    /// Takes a number.
    ///
    /// - Returns: `nil` when the number is 2^24 or more, which the kernel refuses.
    public init?(_ value: some BinaryInteger) {
        guard value >= 0, value <= Self.maximum.value else { return nil }
        self.value = UInt32(value)
    }

    private init(unchecked value: UInt32) {
        self.value = value
    }

    /// The number that follows; 1 follows the largest, because 0 is left to other programs by convention.
    public var next: ThinDeviceID { self == .maximum ? ThinDeviceID(unchecked: 1) : ThinDeviceID(unchecked: value + 1) }

    /// The number in decimal digits.
    public var description: String { "\(value)" }

    /// Whether the first number is the lower one.
    public static func < (left: ThinDeviceID, right: ThinDeviceID) -> Bool { left.value < right.value }
}
