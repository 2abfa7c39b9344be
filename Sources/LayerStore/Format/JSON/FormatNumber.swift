/// The number of the format of a file that this project, and not Docker, defines.
///
/// A file without a number has format 1: files had none at first, and Docker's have none. Reading a file of a newer format
/// fails, because this version cannot know what such a file protects.
package struct FormatNumber: Hashable, Sendable, Codable {
    /// The only format that this version reads and writes.
    static let current = 1

    package init() {}

    package init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        let number = try value.decode(Int.self)
        guard number != Self.current else { return }
        let reason =
            number > Self.current
            ? "it has format \(number), and this version of dmlayer knows format \(Self.current) only; use the newer version "
                + "that wrote it. Nothing was changed"
            : "its format is \(number), and formats are numbered from 1 on"
        throw DecodingError.dataCorruptedError(in: value, debugDescription: reason)
    }

    package func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        try value.encode(Self.current)
    }
}
