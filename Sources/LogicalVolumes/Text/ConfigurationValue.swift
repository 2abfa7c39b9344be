/// A value in lvm2's configuration format.
enum ConfigurationValue: Hashable, Sendable {
    case number(UInt64)
    case string(String)
    case list([ConfigurationValue])
    /// Anything that is written without quotes and is no number from 0 on.
    case word(String)

    /// Reads the text of a value; `nil` when it is of no known form.
    init?(parsing text: [UInt8]) {
        var reader = ConfigurationReader(text)
        guard let value = Self.read(&reader, isInList: false), (try? reader.takeBlank()) != nil, reader.isAtEnd else {
            return nil
        }
        self = value
    }

    private static func read(_ reader: inout ConfigurationReader, isInList: Bool) -> ConfigurationValue? {
        guard let first = reader.peek else { return nil }
        switch first {
        case UInt8(ascii: "\""), UInt8(ascii: "'"):
            guard let quoted = try? reader.takeQuoted() else { return nil }
            return .string(unescaped(quoted))
        case UInt8(ascii: "[") where !isInList:
            reader.advance()
            return readList(&reader)
        default:
            let bytes = reader.takeWord()
            guard !bytes.isEmpty else { return nil }
            let word = String(decoding: bytes, as: UTF8.self)
            // Without this check a sign would be accepted.
            let isNumber = bytes.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
            return isNumber ? UInt64(word).map(ConfigurationValue.number) : .word(word)
        }
    }

    private static func readList(_ reader: inout ConfigurationReader) -> ConfigurationValue? {
        var values: [ConfigurationValue] = []
        while true {
            guard (try? reader.takeBlank()) != nil, let next = reader.peek else { return nil }
            if next == UInt8(ascii: "]") {
                reader.advance()
                return .list(values)
            }
            if !values.isEmpty {
                guard next == UInt8(ascii: ",") else { return nil }
                reader.advance()
                guard (try? reader.takeBlank()) != nil else { return nil }
                // lvm2 leaves no comma at the end, and reads one.
                if reader.peek == UInt8(ascii: "]") { continue }
            }
            guard let value = read(&reader, isInList: true) else { return nil }
            values.append(value)
        }
    }

    private static func unescaped(_ quoted: [UInt8]) -> String {
        let inner = quoted.dropFirst().dropLast()
        guard quoted.first == UInt8(ascii: "\"") else { return String(decoding: inner, as: UTF8.self) }
        // Only a quote and a backslash are escaped; before anything else a backslash stands for itself.
        var bytes: [UInt8] = []
        var rest = inner
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), let next = rest.first, next == byte || next == UInt8(ascii: "\"") {
                bytes.append(next)
                rest.removeFirst()
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
