import Testing

/// A program that uses a library can make the library's answers in its own tests.
@Suite struct InitialiserTests {
    private static let products: Set<Substring> = [
        "BlockDevices", "DeviceMapper", "LayerArchive", "LayerStore", "ThinProvisioning",
    ]

    /// The lines of a type whose declaration is in a line, without those of types in it.
    private func body(of source: SwiftFile, from start: Int) -> [Substring] {
        var depth = 0
        var lines: [Substring] = []
        for line in source.code[start...] {
            if depth == 1, !line.contains("struct ") { lines.append(line) }
            for character in line.utf8 {
                if character == UInt8(ascii: "{") { depth += 1 }
                if character == UInt8(ascii: "}") { depth -= 1 }
            }
            if depth == 0, line.contains("}") { break }
        }
        return lines
    }

    /// Whether a line declares a property that every program can read and that is not computed.
    private func isStoredAndPublic(_ line: Substring) -> Bool {
        let words = line.words(with: "{")
        return words.first == "public" && !words.contains("static") && !words.contains("{")
            && (words.contains("let") || words.contains("var"))
    }

    private func hasInitialiser(_ lines: [Substring]) -> Bool { lines.contains { $0.contains("public init") } }

    @Test func everyAnswerCanBeMade() {
        let sources = Tree.sources.filter { source in
            let parts = source.file.path.split(separator: "/")
            return parts.count > 1 && Self.products.contains(parts[1])
        }
        var extended: Set<String> = []
        for source in sources where hasInitialiser(source.code) {
            for line in source.code where line.hasPrefix("extension ") {
                extended.formUnion(line.words(with: ".").dropFirst().prefix(1).map(String.init))
            }
        }
        var found: Set<String> = []
        for source in sources {
            for (index, line) in source.code.enumerated() where line.contains("public struct ") {
                let words = line.words()
                guard let place = words.firstIndex(of: "struct"), place + 1 < words.count else { continue }
                let (name, body) = (String(words[place + 1]), body(of: source, from: index))
                guard body.contains(where: isStoredAndPublic), !hasInitialiser(body), !extended.contains(name) else {
                    continue
                }
                found.insert("\(source.file.path) \(name)")
            }
        }
        expect(found, onlyIn: Exceptions.answersOfTheLibraryOnly, "give it a public initialiser")
    }
}
