/// A target's status with named fields.
///
/// A program gives another target's status a type by conforming to this protocol, as with ``TypedTarget``.
public protocol TypedStatus: Hashable, Sendable {
    /// The names of the targets that have this status.
    static var types: [String] { get }

    /// Reads a status.
    ///
    /// - Parameter words: The status; words that a newer kernel appends are left.
    /// - Returns: `nil` when the words are not of the form that the type knows.
    init?(_ words: inout TargetWords)
}

extension TargetLine {
    /// The status as one of a certain type.
    ///
    /// - Returns: `nil` for another target's status, and for words that are not of the form that the type knows.
    public func status<Status: TypedStatus>(as type: Status.Type) -> Status? {
        guard type.types.contains(self.type) else { return nil }
        var words = TargetWords(text)
        return Status(&words)
    }
}

/// How much of something there is or is done, as targets print it: `used/total`.
public struct Share: Hashable, Sendable {
    /// How much is used or done.
    public let used: UInt64
    /// How much there is.
    public let total: UInt64

    /// Makes a share.
    public init(used: UInt64, total: UInt64) {
        self.used = used
        self.total = total
    }

    init?(_ word: String?) {
        guard let parts = word?.split(separator: "/", omittingEmptySubsequences: false), parts.count == 2,
            let used = UInt64(parts[0]), let total = UInt64(parts[1])
        else { return nil }
        self.init(used: used, total: total)
    }
}

extension TargetWords {
    /// Takes the next word, `used/total`.
    mutating func share() -> Share? { Share(next()) }

    /// Whether the next word is one of those with which a target says that it has failed.
    var saysFailed: Bool { first == "Fail" || first == "Error" }
}
