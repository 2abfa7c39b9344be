/// The form of a listing: the one description of its fields, for the table, `--quiet`, `--sort` and `--format`.
struct Listing<Row> {
    /// The fields in the order of the columns.
    let fields: [ListingField<Row>]
    /// The text that identifies a row; `--quiet` prints nothing else.
    let key: (Row) -> String
    /// Whether a row is in the text; the others are in JSON only.
    var isInText: (Row) -> Bool = { _ in true }
    /// Aligns the lines of the table.
    var table: ([[String]]) -> String = Columns.aligned

    /// The field that a user means by a word, if there is one.
    func field(_ word: some StringProtocol) -> ListingField<Row>? { fields.first { $0.isNamed(word) } }

    /// The names of all fields, for a message to a user who has named another one.
    var names: String { fields.map(\.name).joined(separator: ", ") }
}

/// A listing as the options of a command want it.
struct ListingView<Row> {
    let listing: Listing<Row>
    let isQuiet: Bool
    /// The field by which the rows are sorted; `nil` leaves them in the order of the command.
    let order: ListingField<Row>?
    let isReversed: Bool
    let format: ListingFormat<Row>?

    /// Prints rows.
    ///
    /// - Parameter json: Makes the result in JSON of the rows in their order.
    func print(_ rows: [Row], to output: Output, json: ([Row]) throws -> some Encodable) throws {
        let rows = sorted(rows)
        try output.print(json: json(rows), text: text(rows.filter(listing.isInText)))
    }

    private func sorted(_ rows: [Row]) -> [Row] {
        guard let order else { return isReversed ? rows.reversed() : rows }
        return rows.map { (row: $0, value: order.value($0)) }
            .sorted { $0.value.isBefore($1.value, reversed: isReversed) }
            .map(\.row)
    }

    /// The rows as text; `nil` where there is nothing to print, not even headings.
    private func text(_ rows: [Row]) -> String? {
        if isQuiet {
            // An image with several names has several rows.
            var seen: Set<String> = []
            return lines(rows.map(listing.key).filter { seen.insert($0).inserted })
        }
        guard let format else {
            let columns = listing.fields.filter(\.isColumn)
            return listing.table([columns.map(\.heading)] + rows.map { row in columns.map { $0.cell(row) } })
        }
        guard format.isTable else { return lines(rows.map(format.line)) }
        return listing.table([format.headings] + rows.map(format.cells))
    }

    private func lines(_ lines: [String]) -> String? { lines.isEmpty ? nil : lines.joined(separator: "\n") }
}
