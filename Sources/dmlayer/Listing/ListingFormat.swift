internal import ArgumentParser

/// The format of a row that a user has given: text with fields in it, as in `{{.id}}\t{{.size}}`.
///
/// The braces and the point are those of Docker's formats. Of their language there is no more than the names of fields.
struct ListingFormat<Row> {
    private enum Part {
        case text(String)
        case field(ListingField<Row>)
    }

    /// Whether the rows form a table with headings, whose columns are at the tabulators of the format.
    let isTable: Bool
    /// The parts of each column.
    private let columns: [[Part]]

    /// Reads a format.
    init(_ format: String, of listing: Listing<Row>) throws {
        let word = "table "
        isTable = format.hasPrefix(word)
        let template = Self.withoutEscapes(isTable ? format.dropFirst(word.count) : format[...])
        columns = try template.split(separator: "\t", omittingEmptySubsequences: false).map {
            try Self.parts($0, listing)
        }
        let hasField = columns.contains { $0.contains { if case .field = $0 { true } else { false } } }
        guard hasField else {
            throw ValidationError(
                "--format \(format) names no field; write each as {{.NAME}}. The names are: \(listing.names). For JSON there "
                    + "is --json")
        }
    }

    /// Puts a tabulator, the end of a line and a backslash in the place of `\t`, `\n` and `\\`.
    private static func withoutEscapes(_ text: Substring) -> String {
        var (result, rest) = ("", text)
        while let character = rest.popFirst() {
            guard character == "\\", let next = rest.first, let meant = ["t": "\t", "n": "\n", "\\": "\\"][next] else {
                result.append(character)
                continue
            }
            result += meant
            rest.removeFirst()
        }
        return result
    }

    private static func parts(_ text: Substring, _ listing: Listing<Row>) throws -> [Part] {
        var (parts, rest): ([Part], Substring) = ([], text)
        while let opening = place(of: "{{", in: rest) {
            parts.append(.text(String(rest[..<opening])))
            rest = rest[opening...].dropFirst(2)
            guard let closing = place(of: "}}", in: rest) else {
                throw ValidationError("--format has “{{\(rest)” without “}}”")
            }
            let name = rest[..<closing].split(separator: " ").joined(separator: " ")
            guard name.first == ".", let field = listing.field(name.dropFirst()) else {
                throw ValidationError(
                    "--format has “{{\(name)}}”, which is no field; the fields are: "
                        + listing.fields.map { "{{.\($0.name)}}" }.joined(separator: ", "))
            }
            parts.append(.field(field))
            rest = rest[closing...].dropFirst(2)
        }
        return parts + [.text(String(rest))]
    }

    private static func place(of braces: String, in text: Substring) -> Substring.Index? {
        text.indices.first { text[$0...].hasPrefix(braces) }
    }

    /// The headings of a table.
    var headings: [String] { columns.map { Self.text($0) { $0.heading } } }

    /// The cells of a row in a table, whose facts are written as in the listing itself.
    func cells(_ row: Row) -> [String] { columns.map { Self.text($0) { $0.cell(row) } } }

    /// A row outside of a table, whose facts are written as in JSON.
    func line(_ row: Row) -> String {
        columns.map { Self.text($0) { $0.value(row).plain } }.joined(separator: "\t")
    }

    private static func text(_ parts: [Part], _ fact: (ListingField<Row>) -> String) -> String {
        parts.map { part in
            switch part {
            case .text(let text): text
            case .field(let field): fact(field)
            }
        }.joined()
    }
}
