/// The answer to an operation.
enum Outcome: Hashable, CustomStringConvertible {
    case done
    /// The layers of a list, or the files of a difference.
    case found(Set<String>)
    /// There was no layer to remove.
    case absent
    /// The layer waits for its users.
    case deferred
    case refused(Refusal)
    /// The command was killed.
    case killed
    /// An answer for which no pair is a reason.
    case unexpected(String)

    /// Why an operation may be refused.
    enum Refusal: String {
        case noSuchLayer = "no such layer"
        case layerExists = "the layer exists"
        case sizeTooSmall = "the size is too small"
        case inUse = "in use"
        case served = "a service serves the snapshots"
    }

    /// The words by which a refusal is known.
    private static let words: [(words: String, refusal: Refusal)] = [
        ("does not exist", .noSuchLayer), ("there is a layer", .layerExists), ("cannot become smaller", .sizeTooSmall),
        ("is smaller than its parent", .sizeTooSmall), ("serves its snapshots", .served), ("is in use by", .inUse),
        ("still in use by", .inUse),
    ]

    /// The outcome of an operation that has said `message` and failed.
    init(failure message: String) {
        if let known = Self.words.first(where: { message.contains($0.words) }) {
            self = .refused(known.refusal)
        } else {
            self = .unexpected(message)
        }
    }

    var description: String {
        switch self {
        case .done: "done"
        case .found(let names): "found [\(names.sorted().joined(separator: " "))]"
        case .absent: "there was none"
        case .deferred: "deferred"
        case .refused(let refusal): "refused: \(refusal.rawValue)"
        case .killed: "killed"
        case .unexpected(let message): "unexpected: \(message)"
        }
    }
}
