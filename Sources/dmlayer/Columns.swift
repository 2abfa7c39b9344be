/// A table of text.
enum Columns {
    /// Puts each column to the width of its widest cell, with two spaces between columns and none at the end.
    static func aligned(_ rows: [[String]]) -> String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        return rows.map { row in
            row.enumerated().map { column, cell in
                column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count + 2)
            }.joined()
        }.joined(separator: "\n")
    }
}

extension String {
    /// The text with blanks behind it, for a column of so many bytes.
    func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - utf8.count)) }

    /// The text with blanks before it.
    func paddedLeft(_ width: Int) -> String { String(repeating: " ", count: max(0, width - utf8.count)) + self }
}
