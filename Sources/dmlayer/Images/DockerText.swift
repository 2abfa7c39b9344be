#if Images
internal import FoundationEssentials
internal import Images

/// Text in the form that Docker's own command prints.
enum DockerText {
    /// A table: each column has three spaces behind its widest cell, and ten characters at least.
    static func table(_ rows: [[String]]) -> String {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            max(10, (rows.compactMap { column < $0.count ? $0[column].count : nil }.max() ?? 0) + 3)
        }
        return rows.map { row in
            let line = row.enumerated().map { column, cell in
                column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
            }
            return line.joined()
        }.joined(separator: "\n")
    }

    /// A size in bytes with three digits and a decimal unit, as in 70.9MB.
    static func size(_ bytes: Int64) -> String {
        var value = Double(bytes)
        var units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"][...]
        while value >= 1000, units.count > 1 {
            value /= 1000
            units = units.dropFirst()
        }
        let digits = value >= 100 ? 1.0 : value >= 10 ? 10 : 100
        var text = "\((value * digits).rounded() / digits)"
        if text.hasSuffix(".0") { text.removeLast(2) }
        return text + (units.first ?? "")
    }

    /// How long ago a time was, as in “2 weeks ago”.
    ///
    /// - Parameter time: The time in the form of RFC 3339.
    static func age(of time: String, now: Date = .now) -> String {
        guard let date = date(time) else { return "N/A" }
        let seconds = Int(now.timeIntervalSince(date))
        let hours = Int(now.timeIntervalSince(date) / 3600 + 0.5)
        let words =
            switch (seconds, seconds / 60, hours) {
            case (..<1, _, _): "Less than a second"
            case (1, _, _): "1 second"
            case (..<60, _, _): "\(seconds) seconds"
            case (_, 1, _): "About a minute"
            case (_, ..<60, _): "\(seconds / 60) minutes"
            case (_, _, 1): "About an hour"
            case (_, _, ..<48): "\(hours) hours"
            case (_, _, ..<(24 * 7 * 2)): "\(hours / 24) days"
            case (_, _, ..<(24 * 30 * 2)): "\(hours / 24 / 7) weeks"
            case (_, _, ..<(24 * 365 * 2)): "\(hours / 24 / 30) months"
            default: "\(seconds / 3600 / 24 / 365) years"
            }
        return words + " ago"
    }

    private static func date(_ text: String) -> Date? {
        // The fraction of the second may have any number of digits.
        let seconds = text.prefix { $0 != "." }
        let zone = text.dropFirst(seconds.count).drop { $0 == "." || $0.isNumber }
        // A text that is no time has no age.
        return try? Date(seconds + zone, strategy: .iso8601)
    }

    /// A text without what a name of an image cannot have: lower-case, with a dash for each other character.
    static func imageName(_ text: String) -> String {
        let allowed = "abcdefghijklmnopqrstuvwxyz0123456789._-/:"
        return String(text.lowercased().map { allowed.contains($0) ? $0 : "-" })
    }
}
#endif
