/// Reads metadata files of the usual form: JSON in one line without blanks, whose texts need no escapes and whose objects have each field
/// once.
///
/// It takes a small part of the time of a general JSON decoder. Each function that reads says whether it found what it looked for; a
/// text of which it says `false` is left to the general decoder, which also explains errors.
struct UsualJSON {
    private let text: [UInt8]
    private var position = 0

    init(_ text: [UInt8]) {
        self.text = text
    }

    /// Whether all of the text has been read.
    var isAtEnd: Bool { position == text.count }

    private var next: UInt8? { position < text.count ? text[position] : nil }

    private mutating func skips(_ byte: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: byte) else { return false }
        position += 1
        return true
    }

    // MARK: Values

    /// Reads an object.
    ///
    /// - Parameter field: Reads the value of the field that has this name, and says whether it could.
    mutating func readsObject(_ field: (String, inout UsualJSON) -> Bool) -> Bool {
        guard skips("{") else { return false }
        if skips("}") { return true }
        repeat {
            guard let name = string(), skips(":"), field(name, &self) else { return false }
        } while skips(",")
        return skips("}")
    }

    /// Reads a value into `value`, which has none yet: a field that comes twice is not usual.
    mutating func reads(_ value: inout UInt64?) -> Bool { fill(&value) { $0.number() } }

    mutating func reads(_ value: inout Int64?) -> Bool { fill(&value) { $0.number().flatMap(Int64.init(exactly:)) } }

    mutating func reads(_ value: inout Bool?) -> Bool { fill(&value) { $0.truth() } }

    mutating func reads(_ value: inout String?) -> Bool { fill(&value) { $0.string() } }

    mutating func reads(_ value: inout [String]?) -> Bool { fill(&value) { $0.strings() } }

    mutating func reads(_ value: inout [String: String]?) -> Bool { fill(&value) { $0.texts() } }

    /// Reads a value with `read` into `value`, which has none yet.
    mutating func fill<Value>(_ value: inout Value?, _ read: (inout UsualJSON) -> Value?) -> Bool {
        guard value == nil else { return false }
        value = read(&self)
        return value != nil
    }

    private mutating func truth() -> Bool? {
        for (word, value) in [("true", true), ("false", false)] where text[position...].starts(with: word.utf8) {
            position += word.utf8.count
            return value
        }
        return nil
    }

    private mutating func string() -> String? {
        guard skips("\"") else { return nil }
        let start = position
        while let byte = next, Self.isPlain(byte) { position += 1 }
        guard skips("\"") else { return nil }
        return String(decoding: text[start..<position - 1], as: UTF8.self)
    }

    private mutating func strings() -> [String]? {
        guard skips("[") else { return nil }
        if skips("]") { return [] }
        var strings: [String] = []
        repeat {
            guard let string = string() else { return nil }
            strings.append(string)
        } while skips(",")
        return skips("]") ? strings : nil
    }

    private mutating func texts() -> [String: String]? {
        var texts: [String: String] = [:]
        let isRead = readsObject { name, json in
            json.string().map { texts.updateValue($0, forKey: name) == nil } ?? false
        }
        return isRead ? texts : nil
    }

    private mutating func number() -> UInt64? {
        let start = position
        var value: UInt64 = 0
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, isSumTooLarge) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            guard !isTooLarge, !isSumTooLarge else { return nil }
            value = sum
            position += 1
        }
        // JSON has no leading zeros.
        guard position > start, text[start] != UInt8(ascii: "0") || position == start + 1 else { return nil }
        return value
    }

    // MARK: Texts

    /// Whether a text stands for itself in a JSON string.
    static func isPlain(_ text: String) -> Bool { text.utf8.allSatisfy(isPlain) }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x20...0x7e).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }
}
