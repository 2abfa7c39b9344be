/// A target with its parameters: what a segment of a mapping table does.
///
/// Targets that this library has a type for are read into it; every other one, and one whose parameters are not of the
/// form that the type knows, is kept as text. So any table can be read, changed and written back.
public enum Target: Hashable, Sendable {
    case linear(LinearTarget)
    case striped(StripedTarget)
    /// Fails every request.
    case error
    /// Reads as zeros and forgets what is written.
    case zero
    case delay(DelayTarget)
    case flakey(FlakeyTarget)
    case snapshot(SnapshotTarget)
    case snapshotMerge(SnapshotTarget)
    /// The device that snapshots have been taken of.
    case snapshotOrigin(TargetDevice)
    case crypt(CryptTarget)
    case thinPool(ThinPoolTarget)
    case thin(ThinTarget)
    /// Any target, with its parameters as the kernel takes them.
    case other(type: String, parameters: String)

    /// Reads a target's parameters.
    public init(type: String, parameters: String) {
        var words = TargetWords(parameters)
        self = Self.typed(type, &words) ?? .other(type: type, parameters: parameters)
    }

    private static func typed(_ type: String, _ words: inout TargetWords) -> Target? {
        let target: Target?
        switch type {
        case "linear": target = LinearTarget(&words).map(Target.linear)
        case "striped": target = StripedTarget(&words).map(Target.striped)
        case "error": target = .error
        case "zero": target = .zero
        case "delay": target = DelayTarget(&words).map(Target.delay)
        case "flakey": target = FlakeyTarget(&words).map(Target.flakey)
        case "snapshot": target = SnapshotTarget(&words).map(Target.snapshot)
        case "snapshot-merge": target = SnapshotTarget(&words).map(Target.snapshotMerge)
        case "snapshot-origin": target = words.device().map(Target.snapshotOrigin)
        case "crypt": target = CryptTarget(&words).map(Target.crypt)
        case "thin-pool": target = ThinPoolTarget(&words).map(Target.thinPool)
        case "thin": target = ThinTarget(&words).map(Target.thin)
        default: target = nil
        }
        return words.isEmpty ? target : nil
    }

    /// The name of the target in a mapping table.
    public var type: String {
        switch self {
        case .linear: "linear"
        case .striped: "striped"
        case .error: "error"
        case .zero: "zero"
        case .delay: "delay"
        case .flakey: "flakey"
        case .snapshot: "snapshot"
        case .snapshotMerge: "snapshot-merge"
        case .snapshotOrigin: "snapshot-origin"
        case .crypt: "crypt"
        case .thinPool: "thin-pool"
        case .thin: "thin"
        case .other(let type, _): type
        }
    }

    /// The parameters as the kernel takes and prints them.
    public var parameters: String {
        switch self {
        case .linear(let target): target.parameters
        case .striped(let target): target.parameters
        case .error, .zero: ""
        case .delay(let target): target.parameters
        case .flakey(let target): target.parameters
        case .snapshot(let target), .snapshotMerge(let target): target.parameters
        case .snapshotOrigin(let device): device.description
        case .crypt(let target): target.parameters
        case .thinPool(let target): target.parameters
        case .thin(let target): target.parameters
        case .other(_, let parameters): parameters
        }
    }

    /// The target with zeros for the digits of its keys.
    var redacted: Target {
        switch self {
        case .crypt(var crypt):
            crypt.redactKey()
            return .crypt(crypt)
        case .other(type: "crypt", _):
            // Parameters that the type does not know may still hold a key.
            return .other(type: "crypt", parameters: "")
        case .other(type: "integrity", let parameters):
            return .other(type: "integrity", parameters: IntegrityKeys.redacted(parameters))
        default:
            return self
        }
    }
}

/// The keys in the parameters of dm-integrity, for which there is no type here.
enum IntegrityKeys {
    /// The options that have an algorithm behind the colon, and behind a second colon its key if it takes one.
    private static let options = ["internal_hash:", "journal_crypt:", "journal_mac:"]

    /// The parameters with zeros for the digits of each key, and everything else as it is.
    static func redacted(_ parameters: String) -> String {
        parameters.split(separator: " ", omittingEmptySubsequences: false).map { word in
            guard options.contains(where: { word.hasPrefix($0) }) else { return String(word) }
            let parts = word.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return String(word) }
            return "\(parts[0]):\(parts[1]):" + String(repeating: "0", count: parts[2].utf8.count)
        }.joined(separator: " ")
    }
}

/// A device in a target's parameters: the kernel prints `major:minor`, and takes a path as well.
public enum TargetDevice: Hashable, Sendable, LosslessStringConvertible {
    case number(DeviceNumber)
    case path(String)

    /// Reads `major:minor` or a path.
    public init(_ description: String) {
        self = DeviceNumber(description).map(TargetDevice.number) ?? .path(description)
    }

    /// `major:minor`, or the path with a backslash before what would end it.
    public var description: String {
        switch self {
        case .number(let number): number.description
        case .path(let path): TargetWords.escaped(path)
        }
    }
}

/// The words of a target's parameters, split as the kernel splits them: at white space, with a backslash before a
/// character that belongs to the word whatever it is.
struct TargetWords {
    private var words: ArraySlice<String> = []

    init(_ text: String) {
        var word: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == Self.backslash, let escaped = rest.popFirst() {
                word.append(escaped)
            } else if !Self.isSpace(byte) {
                word.append(byte)
            } else if !word.isEmpty {
                words.append(String(decoding: word, as: UTF8.self))
                word = []
            }
        }
        if !word.isEmpty { words.append(String(decoding: word, as: UTF8.self)) }
    }

    /// A word with a backslash before what would end it.
    static func escaped(_ word: String) -> String {
        var bytes: [UInt8] = []
        for byte in word.utf8 {
            if byte == backslash || isSpace(byte) { bytes.append(backslash) }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let backslash = UInt8(ascii: "\\")

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || (UInt8(ascii: "\t")...UInt8(ascii: "\r")).contains(byte)
    }

    var isEmpty: Bool { words.isEmpty }
    var count: Int { words.count }

    mutating func next() -> String? { words.popFirst() }

    mutating func number() -> UInt64? { words.popFirst().flatMap { UInt64($0) } }

    mutating func sectors() -> Sectors? { number().map { Sectors($0) } }

    mutating func device() -> TargetDevice? { words.popFirst().map { TargetDevice($0) } }

    /// Reads a count and so many words, or nothing when no word is left.
    mutating func countedWords() -> [String]? {
        if words.isEmpty { return [] }
        guard let count = number(), count <= UInt64(words.count) else { return nil }
        let counted = Array(words.prefix(Int(count)))
        words = words.dropFirst(counted.count)
        return counted
    }
}
