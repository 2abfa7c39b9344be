/// A length or a position in sectors of 512 bytes, the unit of every mapping table.
public struct Sectors: Hashable, Sendable, Comparable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    /// The size of a sector in bytes.
    ///
    /// It is the same for every device, whatever its logical block size.
    public static let bytesPerSector: UInt64 = 512

    /// How many sectors.
    public var count: UInt64

    /// Makes a length of `count` sectors.
    public init(_ count: UInt64) {
        self.count = count
    }

    /// Makes a length of as many whole sectors as `bytes` holds.
    public init(wholeSectorsIn bytes: UInt64) {
        count = bytes / Self.bytesPerSector
    }

    /// Makes a length from a literal.
    public init(integerLiteral value: UInt64) {
        count = value
    }

    /// The length in bytes; `UInt64.max` when it does not fit, which no device reaches.
    public var bytes: UInt64 {
        let (product, overflow) = count.multipliedReportingOverflow(by: Self.bytesPerSector)
        return overflow ? .max : product
    }

    /// The number alone, as a mapping table writes it.
    public var description: String { "\(count)" }

    /// Whether the first length is the shorter one.
    public static func < (left: Sectors, right: Sectors) -> Bool {
        left.count < right.count
    }
}
