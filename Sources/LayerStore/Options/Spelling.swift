/// Finds the name that a user probably meant.
package enum Spelling {
    /// Finds the name that is `text` except for typing errors.
    ///
    /// Upper and lower case count as the same, and so do dashes and underscores. In five letters, one may be missing, added,
    /// different, or exchanged with its neighbour.
    package static func nearest(to text: String, among names: [String]) -> String? {
        let plain = plain(text)
        let allowed = max(1, plain.count / 5)
        return names.map { ($0, distance(plain, Self.plain($0))) }.filter { $0.1 <= allowed }.min { $0.1 < $1.1 }?.0
    }

    private static func plain(_ text: String) -> [Character] {
        text.lowercased().map { $0 == "_" ? "-" : $0 }
    }

    /// The number of typing errors that lead from one text to the other.
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var rows = [Array(0...right.count)]
        for (i, one) in left.enumerated() {
            var row = [i + 1]
            for (j, other) in right.enumerated() {
                var best = min(row[j] + 1, rows[i][j + 1] + 1, rows[i][j] + (one == other ? 0 : 1))
                if i > 0, j > 0, one == right[j - 1], left[i - 1] == other { best = min(best, rows[i - 1][j - 1] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[left.count][right.count]
    }
}

/// Characters that are not visible, such as a byte order mark, a non-breaking space or a direction mark.
enum InvisibleCharacter {
    /// Names the first one in a text, as “an invisible character U+FEFF”.
    ///
    /// The spaces and line ends of ASCII do not count.
    static func first(in text: some StringProtocol) -> String? {
        text.unicodeScalars.first(where: isInvisible).map(name)
    }

    static func name(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        return "an invisible character U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control: !["\t", "\n", "\r"].contains(scalar)
        case .spaceSeparator: scalar != " "
        case .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
