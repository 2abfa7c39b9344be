/// A page of Markdown, as far as the rules read it.
struct Page: Sendable {
    let file: Tree.File
    /// The text between single backticks, outside of blocks of code.
    let spans: [String]
    /// The rows of tables: the spans of the first cell, and the text of all cells.
    let rows: [(line: Int, heading: String, keys: [String], cells: [String])]

    init(_ file: Tree.File) {
        self.file = file
        var spans: [String] = []
        var rows: [(line: Int, heading: String, keys: [String], cells: [String])] = []
        var isCode = false
        var heading = ""
        for (index, line) in file.lines.enumerated() {
            if line.drop(while: { $0 == " " }).hasPrefix("```") {
                isCode.toggle()
            } else if !isCode, !line.hasPrefix("    ") {
                if line.hasPrefix("#") { heading = String(line) }
                spans += Self.spans(in: line)
                guard line.hasPrefix("| "), !line.hasPrefix("| ---") else { continue }
                let cells = line.split(separator: " | ").map { $0.trimming(while: { "| ".contains($0) }) }
                rows.append((index + 1, heading, cells.first.map { Self.spans(in: $0[...]) } ?? [], cells))
            }
        }
        self.spans = spans
        self.rows = rows
    }

    private static func spans(in line: Substring) -> [String] {
        line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
}

extension Substring {
    /// The text without the characters at both ends for which the condition holds.
    func trimming(while condition: (Character) -> Bool) -> String {
        var rest = drop(while: condition)
        while let last = rest.last, condition(last) { rest = rest.dropLast() }
        return String(rest)
    }
}
