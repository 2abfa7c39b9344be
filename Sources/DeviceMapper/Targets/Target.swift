/// The target of a segment of a mapping table: its name in the kernel, and its parameters.
///
/// The parameters are kept as text, as a program or the kernel has written them, so that any table can be read, changed
/// elsewhere and written back. ``as(_:)`` reads them into named fields, and ``init(_:)`` writes fields as text.
public struct Target: Hashable, Sendable {
    /// The name of the target in a mapping table.
    public let type: String
    /// The parameters as the kernel takes and prints them, without white space before and behind them.
    public let parameters: String

    /// Makes a target from the words of a mapping table.
    public init(type: String, parameters: String) {
        self.type = type
        self.parameters = TargetWords.trimmed(parameters)
    }

    /// Fails every request.
    public static let error = Target(ErrorTarget())
    /// Reads as zeros and ignores writes.
    public static let zero = Target(ZeroTarget())

    /// The target with zeros for the digits of its keys.
    ///
    /// The keys of crypt and integrity are known here. Parameters of crypt that are not of the known form are left out,
    /// because a key may be anywhere in them.
    var redacted: Target {
        switch type {
        case CryptTarget.type: Target(type: type, parameters: self.as(CryptTarget.self)?.redacted.parameters ?? "")
        case IntegrityTarget.type: Target(type: type, parameters: IntegrityTarget.redacted(parameters))
        default: self
        }
    }
}
