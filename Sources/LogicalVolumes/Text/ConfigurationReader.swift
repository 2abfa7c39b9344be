/// Walks over a text in lvm2's configuration format.
struct ConfigurationReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { position == bytes.count }

    /// The next byte.
    var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func advance() { if position < bytes.count { position += 1 } }

    private func error(_ what: String) -> LogicalVolumeError {
        let line = bytes[..<position].reduce(1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
        return LogicalVolumeError(.damagedMetadata, "line \(line) of the text cannot be understood: \(what)")
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || (UInt8(ascii: "\t")...UInt8(ascii: "\r")).contains(byte)
    }

    private static let endsWord = (0...UInt8.max).map { isSpace($0) || "#={}[],\"'".utf8.contains($0) }

    /// Takes blank space and comments.
    @discardableResult
    mutating func takeBlank() throws(LogicalVolumeError) -> [UInt8] {
        let start = position
        while let byte = peek {
            if byte == UInt8(ascii: "#") {
                while let byte = peek, byte != UInt8(ascii: "\n") { advance() }
            } else if Self.isSpace(byte) {
                advance()
            } else {
                break
            }
        }
        return Array(bytes[start..<position])
    }

    /// Takes what stands between quotes, with them.
    mutating func takeQuoted() throws(LogicalVolumeError) -> [UInt8] {
        let start = position
        let quote = peek
        advance()
        while let byte = peek {
            advance()
            if byte == quote { return Array(bytes[start..<position]) }
            if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") { advance() }
        }
        throw error("a quotation does not end")
    }

    /// Takes bytes up to one that ends a word.
    mutating func takeWord() -> [UInt8] {
        let start = position
        while let byte = peek, !Self.endsWord[Int(byte)] { advance() }
        return Array(bytes[start..<position])
    }

    private mutating func takeValue() throws(LogicalVolumeError) -> [UInt8] {
        let start = position
        switch peek {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): _ = try takeQuoted()
        case UInt8(ascii: "["):
            advance()
            while peek != UInt8(ascii: "]") {
                try takeBlank()
                switch peek {
                case nil: throw error("a list does not end")
                case UInt8(ascii: "\""), UInt8(ascii: "'"): _ = try takeQuoted()
                case UInt8(ascii: "]"): break
                default: advance()
                }
            }
            advance()
        default:
            guard !takeWord().isEmpty else { throw error("a value is missing") }
        }
        return Array(bytes[start..<position])
    }

    // MARK: Sections

    /// How deep sections may lie within each other; lvm2 goes down to four.
    private static let deepest = 16

    /// Takes the parts of a section up to its end, or those of the whole text.
    ///
    /// - Returns: The parts, and what stands behind the last of them.
    mutating func takeNodes(
        depth: Int = 0
    ) throws(LogicalVolumeError) -> (nodes: [ConfigurationNode], end: [UInt8]) {
        guard depth < Self.deepest else { throw error("sections lie too deep within each other") }
        var nodes: [ConfigurationNode] = []
        while true {
            let leading = try takeBlank()
            if peek == nil, depth == 0 { return (nodes, leading) }
            if peek == UInt8(ascii: "}"), depth > 0 { return (nodes, leading) }
            let word = takeWord()
            guard !word.isEmpty, let name = String(validating: word, as: UTF8.self) else {
                throw error(peek == nil ? "a section does not end" : "a name is missing")
            }
            var separator = try takeBlank()
            if peek == UInt8(ascii: "{") {
                advance()
                let section = try takeNodes(depth: depth + 1)
                advance()
                nodes.append(
                    ConfigurationNode(
                        leading: leading, name: name, separator: separator,
                        content: .section(section.nodes, end: section.end)))
            } else {
                guard peek == UInt8(ascii: "=") else { throw error("neither “=” nor “{” follows “\(name)”") }
                advance()
                separator.append(UInt8(ascii: "="))
                separator += try takeBlank()
                nodes.append(
                    ConfigurationNode(
                        leading: leading, name: name, separator: separator, content: .value(try takeValue())))
            }
        }
    }
}
