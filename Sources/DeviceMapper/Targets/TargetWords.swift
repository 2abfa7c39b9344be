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

/// The words of a target's parameters or of its status, split as the kernel splits them: at white space, with a backslash
/// before a character that belongs to the word whatever it is.
///
/// Reading takes words away from the front.
public struct TargetWords: Sendable {
    private var words: ArraySlice<String> = []

    /// Splits a text into words.
    public init(_ text: String) {
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
    public static func escaped(_ word: String) -> String {
        var bytes: [UInt8] = []
        for byte in word.utf8 {
            if byte == backslash || isSpace(byte) { bytes.append(backslash) }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A list of words behind their number, as most targets take options.
    static func counted(_ words: [String]) -> String {
        (["\(words.count)"] + words.map(escaped)).joined(separator: " ")
    }

    /// A text without white space before and behind it.
    static func trimmed(_ text: String) -> String {
        guard let first = text.utf8.first, let last = text.utf8.last, isSpace(first) || isSpace(last) else {
            return text
        }
        let bytes = text.utf8.drop(while: isSpace)
        var end = bytes.endIndex
        while end > bytes.startIndex, isSpace(bytes[bytes.index(before: end)]) { end = bytes.index(before: end) }
        // A space behind a backslash belongs to a word.
        if end < bytes.endIndex, bytes[..<end].reversed().prefix(while: { $0 == backslash }).count % 2 == 1 {
            end = bytes.index(after: end)
        }
        return String(decoding: bytes[..<end], as: UTF8.self)
    }

    private static let backslash = UInt8(ascii: "\\")

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || (UInt8(ascii: "\t")...UInt8(ascii: "\r")).contains(byte)
    }

    /// Whether no word is left.
    public var isEmpty: Bool { words.isEmpty }
    /// How many words are left.
    public var count: Int { words.count }
    /// The next word, which stays.
    public var first: String? { words.first }

    /// Takes the next word.
    public mutating func next() -> String? { words.popFirst() }

    /// Takes the next word, a decimal number.
    public mutating func number() -> UInt64? { words.popFirst().flatMap { UInt64($0) } }

    /// Takes the next word, a number of sectors of 512 bytes.
    public mutating func sectors() -> Sectors? { number().map { Sectors($0) } }

    /// Takes the next word, a device.
    public mutating func device() -> TargetDevice? { words.popFirst().map { TargetDevice($0) } }

    /// Takes a device and the first sector that is used of it.
    public mutating func area() -> DeviceArea? {
        guard let device = device(), let start = sectors() else { return nil }
        return DeviceArea(device: device, start: start)
    }

    /// Takes so many devices, each with the first sector that is used of it.
    ///
    /// - Returns: `nil` when there are fewer.
    public mutating func areas(_ count: UInt64) -> [DeviceArea]? {
        guard count <= UInt64(words.count / 2) else { return nil }
        let areas = (0..<count).compactMap { _ in area() }
        return areas.count == Int(count) ? areas : nil
    }

    /// Takes so many words.
    ///
    /// - Returns: `nil` when fewer are left.
    public mutating func words(_ count: UInt64) -> [String]? {
        guard count <= UInt64(words.count) else { return nil }
        let taken = Array(words.prefix(Int(count)))
        words = words.dropFirst(taken.count)
        return taken
    }

    /// Takes a count and so many words, or nothing when no word is left.
    public mutating func countedWords() -> [String]? {
        if words.isEmpty { return [] }
        return number().flatMap { words($0) }
    }

    /// Takes all words that are left.
    public mutating func rest() -> [String] {
        defer { words = [] }
        return Array(words)
    }
}

/// A device and the first sector that is used of it.
public struct DeviceArea: Hashable, Sendable, CustomStringConvertible {
    /// The device below.
    public var device: TargetDevice
    /// The first sector that is used of it.
    public var start: Sectors

    /// Makes an area.
    public init(device: TargetDevice, start: Sectors) {
        self.device = device
        self.start = start
    }

    /// The two words of it.
    public var description: String { "\(device) \(start)" }
}
