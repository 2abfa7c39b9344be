import Testing

@Suite struct CodeRuleTests {
    /// The lines of a source in which a word stands by itself in the code.
    private func lines(of source: SwiftFile, with word: String) -> [Int] {
        source.code.indices.filter { index in
            source.code[index].words().contains(Substring(word))
        }
    }

    @Test func onlyTheDeadlineSleeps() {
        let found = Tree.sources.filter { !lines(of: $0, with: "usleep").isEmpty }.map(\.file.path)
        expect(
            Set(found).subtracting(["Sources/SystemCalls/Deadline.swift"]), onlyIn: Exceptions.sleepers,
            "wait with waiting(until:) or pause(for:) of SystemCalls")
    }

    @Test func atMostFiveFilesReadTheErrorNumber() {
        let found = Set(Tree.sources.filter { readsErrorNumber($0) }.map(\.file.path))
        expect(found, onlyIn: Exceptions.readersOfTheErrorNumber, "use systemCall of SystemCalls instead of errno")
    }

    /// Whether a file reads the C library's variable, and not a property of that name or a label.
    private func readsErrorNumber(_ source: SwiftFile) -> Bool {
        lines(of: source, with: "errno").contains { index in
            let code = source.code[index]
            var rest = code[...]
            while let found = rest.firstRange(of: "errno") {
                let before = code[..<found.lowerBound].last
                let after = code[found.upperBound...].first
                rest = rest[found.upperBound...]
                if code[..<found.lowerBound].hasSuffix("SystemCalls.") { return true }
                if let before, before.isLetter || before.isNumber || before == "_" || before == "." { continue }
                if let after, after.isLetter || after.isNumber || after == "_" || after == ":" { continue }
                if code.contains("let errno") || code.contains("var errno") || code.contains("case errno") { continue }
                if source.code.contains(where: { $0.contains("errno: Errno") }) { continue }
                return true
            }
            return false
        }
    }

    /// The C library has another module where it is Musl.
    @Test func oneFileNamesTheCLibrary() {
        let found = Tree.sources.filter { source in
            ["Glibc", "Musl"].contains { !lines(of: source, with: $0).isEmpty }
        }.map(\.file.path)
        expect(
            Set(found).subtracting(["Sources/SystemCalls/CLibrary.swift"]), onlyIn: [],
            "import SystemCalls, which has the C library")
    }

    @Test func nothingTraps() {
        var found: Set<String> = []
        for source in Tree.sources {
            for (index, line) in source.code.enumerated() where trap(in: line) {
                found.insert("\(source.file.path): \(source.file.lines[index].drop { $0 == " " })")
            }
        }
        expect(found, onlyIn: Exceptions.traps, "no try!, fatalError or forced unwrapping: throw an error")
    }

    /// A program that any thread starts would inherit a pipe that stays open over `exec`, and keep its reader waiting.
    @Test func pipesAreNotInherited() {
        let found = Tree.swiftFiles.filter { source in source.code.contains { $0.contains("FileDescriptor.pipe()") } }
        expect(Set(found.map(\.file.path)), onlyIn: [], "give pipe the option closeOnExec")
    }

    /// Whether a line of code has `try!`, `as!`, `fatalError` or a forced unwrapping.
    private func trap(in line: Substring) -> Bool {
        if line.contains("try!") || line.contains("as!") || line.contains("fatalError(") { return true }
        guard line.utf8.contains(UInt8(ascii: "!")) else { return false }
        return zip(line, line.dropFirst()).contains { last, character in
            character == "!" && (last.isLetter || last.isNumber || [")", "]", "_"].contains(last))
        }
    }

    @Test func aDiscardedErrorHasAReason() {
        var found: Set<String> = []
        for source in Tree.sources {
            let lines = source.file.lines
            for (index, code) in source.code.enumerated() where discards(code) {
                let hasReason =
                    lines[index].contains("//") || (index > 0 && hasComment(above: index, lines, source.code))
                if !hasReason { found.insert(source.file.path) }
            }
        }
        expect(found, onlyIn: Exceptions.discardedErrors, "say in a comment beside try? why its error does not matter")
    }

    /// Whether a line of code has `try?`.
    private func discards(_ line: Substring) -> Bool { line.words(with: "?").contains("try?") }

    /// Whether a comment stands above a line, or above the statement that the line continues or the lines of `try?` before.
    private func hasComment(above index: Int, _ lines: [Substring], _ code: [Substring]) -> Bool {
        let above = lines[index - 1].drop { $0 == " " }
        return above.hasPrefix("//")
            || (discards(code[index - 1]) && index > 1 && lines[index - 2].contains("//"))
    }
}
