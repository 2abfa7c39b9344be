/// Finds the place where a text stops being JSON.
///
/// The decoder of FoundationEssentials does not tell this place, and accepts a comma after the last element.
struct JSONSyntax {
    private var rest: ArraySlice<UInt8>
    /// The deepest nesting that is accepted.
    ///
    /// No file of the store or of Docker is deeper, and the decoder can read it.
    private static let deepest = 128

    /// The line and column, counted from 1, of the first byte that cannot stand there in JSON.
    ///
    /// - Returns: `nil` when the text is JSON.
    static func firstError(in text: [UInt8]) -> (line: Int, column: Int)? {
        var scanner = JSONSyntax(rest: text[...])
        if scanner.skipsValue(depth: 0) {
            scanner.skipSpace()
            if scanner.rest.isEmpty { return nil }
        }
        let before = text[..<scanner.rest.startIndex]
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return (before.count { $0 == UInt8(ascii: "\n") } + 1, before.count - lineStart + 1)
    }

    /// Says where a text stops being JSON; `nil` when it is JSON.
    static func complaint(about text: [UInt8]) -> String? {
        guard let error = firstError(in: text) else { return nil }
        if text.starts(with: [0xff, 0xfe]) || text.starts(with: [0xfe, 0xff]) {
            return "it is UTF-16, and must be saved as UTF-8"
        }
        let place = "at line \(error.line), column \(error.column)"
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let rest = String(decoding: lines[error.line - 1].dropFirst(error.column - 1).prefix(8), as: UTF8.self)
        guard let scalar = rest.unicodeScalars.first, InvisibleCharacter.isInvisible(scalar) else {
            return "it is no JSON \(place)"
        }
        return "it has \(InvisibleCharacter.name(scalar)) \(error == (1, 1) ? "at the start" : place); remove it"
    }

    private mutating func skipSpace() {
        rest = rest.drop { [0x20, 0x09, 0x0a, 0x0d].contains($0) }
    }

    private mutating func skips(_ text: String) -> Bool {
        guard rest.starts(with: text.utf8) else { return false }
        rest = rest.dropFirst(text.utf8.count)
        return true
    }

    private mutating func skipsValue(depth: Int) -> Bool {
        skipSpace()
        switch rest.first {
        case UInt8(ascii: "{") where depth < Self.deepest: return skipsList(end: "}", depth: depth, hasKeys: true)
        case UInt8(ascii: "[") where depth < Self.deepest: return skipsList(end: "]", depth: depth, hasKeys: false)
        case UInt8(ascii: "\""): return skipsString()
        case UInt8(ascii: "t"): return skips("true")
        case UInt8(ascii: "f"): return skips("false")
        case UInt8(ascii: "n"): return skips("null")
        default: return skipsNumber()
        }
    }

    private mutating func skipsList(end: String, depth: Int, hasKeys: Bool) -> Bool {
        rest = rest.dropFirst()
        skipSpace()
        if skips(end) { return true }
        while true {
            if hasKeys {
                skipSpace()
                guard skipsString() else { return false }
                skipSpace()
                guard skips(":") else { return false }
            }
            guard skipsValue(depth: depth + 1) else { return false }
            skipSpace()
            if skips(end) { return true }
            guard skips(",") else { return false }
        }
    }

    private mutating func skipsString() -> Bool {
        guard skips("\"") else { return false }
        while let byte = rest.first, byte >= 0x20 {
            rest = rest.dropFirst()
            if byte == UInt8(ascii: "\"") { return true }
            if byte == UInt8(ascii: "\\") { rest = rest.dropFirst() }
        }
        return false
    }

    private mutating func skipsNumber() -> Bool {
        let length = rest.prefix { byte in "+-.0123456789eE".utf8.contains(byte) }
        guard !length.isEmpty, Double(String(decoding: length, as: UTF8.self)) != nil else { return false }
        rest = rest.dropFirst(length.count)
        return true
    }
}
