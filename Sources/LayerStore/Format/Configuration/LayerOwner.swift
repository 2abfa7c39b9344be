/// A user and a group, by their numbers.
public struct LayerOwner: Hashable, Sendable, Codable {
    /// The user.
    public var user: UInt32
    /// The group.
    public var group: UInt32

    /// Makes an owner.
    public init(user: UInt32, group: UInt32) {
        self.user = user
        self.group = group
    }

    enum CodingKeys: String, CodingKey {
        case user = "uid"
        case group = "gid"
    }
}

extension LayerOwner {
    /// Reads `USER:GROUP`, both as numbers.
    ///
    /// - Returns: `nil` when the text has another form.
    public init?(_ text: String) {
        let numbers = text.split(separator: ":", omittingEmptySubsequences: false).compactMap { UInt32($0) }
        // The kernel takes the largest number for “do not change the owner”.
        guard numbers.count == 2, !numbers.contains(.max), text.count(where: { $0 == ":" }) == 1 else { return nil }
        self.init(user: numbers[0], group: numbers[1])
    }
}
