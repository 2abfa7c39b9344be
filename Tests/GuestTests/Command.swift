import SystemPackage
import TestSupport

/// The command `dmlayer` on one root.
struct Command {
    let program: FilePath
    let root: FilePath
    let shell: GuestShell

    /// Runs a command and returns its output, with “status N” at the end if it fails.
    @discardableResult
    func callAsFunction(_ arguments: String) throws -> String {
        try shell.everything("'\(program)' --root '\(root)' \(arguments)")
    }

    /// Runs a command that must succeed and returns its standard output.
    func output(_ arguments: String) throws -> String {
        let script = "'\(program)' --root '\(root)' \(arguments)"
        return try shell.run("{ \(script)\n} 2> /dev/null")
    }

    /// The known words in the output of a command, in order; “status N” is one of them.
    func words(_ arguments: String, _ known: String...) throws -> [String] {
        Self.words(in: try self(arguments), known)
    }

    /// Those of `known` that are in the text, in the order of their places there.
    static func words(in text: String, _ known: [String]) -> [String] {
        known.flatMap { word in text.places(of: word).map { (place: $0, word: word) } }
            .sorted { $0.place < $1.place }.map(\.word)
    }

    /// The content of a file in a layer, which is mounted for it.
    func content(of file: String, in layer: String) throws -> String {
        let text = try shell.everything("cat '\(try self("mount \(layer)"))/\(file)'")
        try self("unmount \(layer)")
        return text
    }

    /// Starts the command beside the tests.
    func start(_ arguments: String, log: FilePath) throws -> ChildProcess {
        try ChildProcess("\(shell.prelude)\nexec '\(program)' --root '\(root)' \(arguments)", output: log)
    }
}

extension String {
    /// Where a word stands in the text, each place once.
    func places(of word: String) -> [Int] {
        let (text, pattern) = (Array(utf8), Array(word.utf8))
        guard !pattern.isEmpty, text.count >= pattern.count else { return [] }
        return (0...text.count - pattern.count).filter { text[$0..<$0 + pattern.count].elementsEqual(pattern) }
    }

    /// The lines.
    var lines: [Substring] { split(separator: "\n") }

    /// All words in one line.
    var joinedWords: String { split(whereSeparator: \.isWhitespace).joined(separator: " ") }
}
