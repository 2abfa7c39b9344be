/// Reads the text of a filter, one character after the other.
struct FilterParser {
    private let text: [Unicode.Scalar]
    private var position = 0

    init(_ text: String) {
        self.text = Array(text.unicodeScalars)
    }

    mutating func selectors() throws(SnapshotterError) -> [SnapshotFilter.Selector] {
        var selectors = [try selector()]
        while let next {
            guard next == "," else { throw unexpected("a comma") }
            position += 1
            selectors.append(try selector())
        }
        return selectors
    }

    private mutating func selector() throws(SnapshotterError) -> SnapshotFilter.Selector {
        var path = [try field()]
        while next == "." {
            position += 1
            path.append(try field())
        }
        guard let character = next, character != "," else { return .init(path: path, comparison: .isPresent) }
        skipBlanks()
        let start = position
        while let character = next, "=!~".unicodeScalars.contains(character) { position += 1 }
        switch String(String.UnicodeScalarView(text[start..<position])) {
        case "==": return .init(path: path, comparison: .equals(try value(isExpression: false)))
        case "!=": return .init(path: path, comparison: .differs(try value(isExpression: false)))
        case "~=": return .init(path: path, comparison: .matches(try value(isExpression: true)))
        default:
            position = start
            throw unexpected("one of the operators ==, != and ~=")
        }
    }

    private mutating func field() throws(SnapshotterError) -> String {
        skipBlanks()
        if next == "\"" { return try quoted() }
        let name = take { character in
            character.isASCII && (character.properties.isAlphabetic || character.properties.numericType != nil)
                || character == "_"
        }
        guard !name.isEmpty else { throw unexpected("the name of a field") }
        return name
    }

    private mutating func value(isExpression: Bool) throws(SnapshotterError) -> String {
        skipBlanks()
        if let quote = next, quote == "\"" || isExpression && (quote == "/" || quote == "|") { return try quoted() }
        guard let character = next, !"/|,.=!~".unicodeScalars.contains(character) else { throw unexpected("a value") }
        return take { $0 != "," && !$0.properties.isWhitespace && $0.isGraphic }
    }

    /// Reads a text in quotation marks, with the escapes of Go.
    private mutating func quoted() throws(SnapshotterError) -> String {
        guard let quote = next else { throw unexpected("a quotation mark") }
        position += 1
        var content = String.UnicodeScalarView()
        // An escape can stand for a byte; bytes one after the other are characters in UTF-8.
        var bytes: [UInt8] = []
        func flush() {
            content.append(contentsOf: String(decoding: bytes, as: UTF8.self).unicodeScalars)
            bytes = []
        }
        while let character = next, character != quote {
            guard character != "\n" else { break }
            position += 1
            guard character == "\\" else {
                flush()
                content.append(character)
                continue
            }
            switch try escape(quote) {
            case .byte(let byte): bytes.append(byte)
            case .scalar(let scalar):
                flush()
                content.append(scalar)
            }
        }
        flush()
        guard next == quote else { throw unexpected("the end of the quotation") }
        position += 1
        return String(content)
    }

    private enum Escape {
        case byte(UInt8)
        case scalar(Unicode.Scalar)
    }

    private static let letters: [Unicode.Scalar: Unicode.Scalar] = [
        "a": "\u{7}", "b": "\u{8}", "f": "\u{c}", "n": "\n", "r": "\r", "t": "\t", "v": "\u{b}", "\\": "\\",
    ]

    private mutating func escape(_ quote: Unicode.Scalar) throws(SnapshotterError) -> Escape {
        guard let character = next else { throw unexpected("an escape") }
        position += 1
        if let scalar = Self.letters[character] { return .scalar(scalar) }
        switch character {
        case quote: return .scalar(quote)
        case "0"..."7":
            position -= 1
            guard let byte = UInt8(exactly: try number(digits: 3, radix: 8)) else { throw unexpected("a byte") }
            return .byte(byte)
        case "x": return .byte(UInt8(truncatingIfNeeded: try number(digits: 2, radix: 16)))
        case "u", "U":
            let number = try number(digits: character == "u" ? 4 : 8, radix: 16)
            guard let scalar = Unicode.Scalar(number) else { throw unexpected("a character") }
            return .scalar(scalar)
        default: throw unexpected("an escape")
        }
    }

    private mutating func number(digits: Int, radix: Int) throws(SnapshotterError) -> UInt32 {
        let end = position + digits
        guard end <= text.count, text[position..<end].allSatisfy(\.properties.isASCIIHexDigit),
            let number = UInt32(String(String.UnicodeScalarView(text[position..<end])), radix: radix)
        else { throw unexpected("\(digits) digits") }
        position = end
        return number
    }

    // MARK: Characters

    private var next: Unicode.Scalar? { position < text.count ? text[position] : nil }

    private mutating func skipBlanks() {
        while let character = next, character.properties.isWhitespace { position += 1 }
    }

    private mutating func take(while isWanted: (Unicode.Scalar) -> Bool) -> String {
        let start = position
        while let character = next, isWanted(character) { position += 1 }
        return String(String.UnicodeScalarView(text[start..<position]))
    }

    private func unexpected(_ expected: String) -> SnapshotterError {
        let whole = String(String.UnicodeScalarView(text))
        return SnapshotterError(
            .invalidArgument, "“\(whole)” is no filter: \(expected) was expected at character \(position + 1)")
    }
}

extension Unicode.Scalar {
    /// Whether it can be seen.
    fileprivate var isGraphic: Bool {
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}
