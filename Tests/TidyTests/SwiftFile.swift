/// A Swift file, with its text apart from its code.
struct SwiftFile: Sendable {
    /// The body of a function, an initialiser or a computed property.
    struct Body: Sendable {
        /// The line of the declaration; the first line is 1.
        let line: Int
        let name: String
        /// How many lines stand between the braces.
        let length: Int
    }

    let file: Tree.File
    /// The lines of the file, in which spaces stand for comments and for the text of string literals.
    let code: [Substring]

    init(_ file: Tree.File) {
        self.file = file
        code = Self.blanked(file.text).split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// Puts spaces in the place of comments and of what is between quotation marks, and keeps the ends of lines and the
    /// code in interpolations.
    private static func blanked(_ text: String) -> String {
        var blanking = Blanking(bytes: Array(text.utf8))
        while !blanking.isAtEnd { blanking.takeCode() }
        return String(decoding: blanking.result, as: UTF8.self)
    }

    /// Reads a file from its beginning to its end.
    private struct Blanking {
        let bytes: [UInt8]
        var result: [UInt8]
        private var position = 0

        init(bytes: [UInt8]) {
            self.bytes = bytes
            result = bytes
        }

        var isAtEnd: Bool { position >= bytes.count }

        private func has(_ word: String) -> Bool { bytes[position...].starts(with: word.utf8) }

        private mutating func blank(_ count: Int) {
            for _ in 0..<count where !isAtEnd {
                if bytes[position] != UInt8(ascii: "\n") { result[position] = UInt8(ascii: " ") }
                position += 1
            }
        }

        /// Reads a character of code, or a comment or a string.
        mutating func takeCode() {
            guard [UInt8(ascii: "/"), UInt8(ascii: "#"), UInt8(ascii: "\"")].contains(bytes[position]) else {
                position += 1
                return
            }
            if has("//") {
                while !isAtEnd, bytes[position] != UInt8(ascii: "\n") { blank(1) }
            } else if has("#\"\"\"") {
                takeString("\"\"\"#", interpolation: "\\#(", start: 4)
            } else if has("#\"") {
                takeString("\"#", interpolation: "\\#(", start: 2)
            } else if has("\"\"\"") {
                takeString("\"\"\"", interpolation: "\\(", start: 3)
            } else if has("\"") {
                takeString("\"", interpolation: "\\(", start: 1)
            } else {
                position += 1
            }
        }

        private mutating func takeString(_ end: String, interpolation: String, start: Int) {
            let isRaw = bytes[position] == UInt8(ascii: "#")
            blank(start)
            while !isAtEnd, !has(end) {
                if has(interpolation) {
                    blank(interpolation.utf8.count)
                    takeInterpolation()
                } else {
                    blank(!isRaw && bytes[position] == UInt8(ascii: "\\") ? 2 : 1)
                }
            }
            blank(end.utf8.count)
        }

        /// Reads the code of an interpolation and the parenthesis behind it.
        private mutating func takeInterpolation() {
            var depth = 0
            while !isAtEnd {
                if bytes[position] == UInt8(ascii: ")") {
                    guard depth > 0 else { return blank(1) }
                    depth -= 1
                } else if bytes[position] == UInt8(ascii: "(") {
                    depth += 1
                }
                takeCode()
            }
        }
    }

    /// The bodies of functions, initialisers, subscripts and computed properties.
    var bodies: [Body] {
        var result: [Body] = []
        for (index, line) in code.enumerated() {
            guard let name = Self.declaredName(in: line), let body = extent(from: index) else { continue }
            result.append(Body(line: index + 1, name: name, length: max(0, body.last - body.first - 1)))
        }
        return result
    }

    private static let keywords: Set<Substring> = ["func", "init", "deinit", "subscript", "var"]

    /// The name of the function that a line declares.
    private static func declaredName(in line: Substring) -> String? {
        let words = line.words(with: "@.")
        guard let place = words.firstIndex(where: { keywords.contains($0) }), place < 6 else { return nil }
        // A modifier stands before the keyword, and nothing else.
        let modifiers = words[..<place]
        guard modifiers.allSatisfy({ $0.first == "@" || $0.allSatisfy { $0.isLowercase } }) else { return nil }
        guard !modifiers.contains("return"), !modifiers.contains("if"), !modifiers.contains("self.") else { return nil }
        switch words[place] {
        case "func": return place + 1 < words.count ? String(words[place + 1]) : "operator"
        case "var":
            guard line.contains("{"), !line.contains("= {") else { return nil }
            return place + 1 < words.count ? String(words[place + 1]) : nil
        default: return String(words[place])
        }
    }

    /// The lines of the braces of the body that belongs to the declaration in a line.
    private func extent(from start: Int) -> (first: Int, last: Int)? {
        var parentheses = 0
        var braces = 0
        var first: Int?
        for index in start..<min(start + 1000, code.count) {
            if index > start, first == nil, parentheses == 0, Self.beginsDeclaration(code[index]) { return nil }
            for character in code[index].utf8 {
                switch character {
                case UInt8(ascii: "("), UInt8(ascii: "["): parentheses += 1
                case UInt8(ascii: ")"), UInt8(ascii: "]"): parentheses -= 1
                case UInt8(ascii: "{") where first != nil || parentheses == 0:
                    first = first ?? index
                    braces += 1
                case UInt8(ascii: "}") where first == nil && parentheses == 0: return nil
                case UInt8(ascii: "}") where first != nil:
                    braces -= 1
                    if braces == 0, let first { return (first, index) }
                default: break
                }
            }
        }
        return nil
    }

    private static func beginsDeclaration(_ line: Substring) -> Bool {
        guard let word = line.split(separator: " ").first else { return false }
        return ["func", "var", "let", "case", "static", "private", "package", "public", "init"].contains(word)
    }
}

extension Substring {
    /// The words of a line of code: letters and digits of ASCII, underscores, and certain other characters.
    func words(with others: StaticString = "") -> [Substring] {
        let others = Array("\(others)".utf8)
        return utf8.split { byte in
            let isWord =
                byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || others.contains(byte)
            return !isWord
        }.map { Substring($0) }
    }
}
