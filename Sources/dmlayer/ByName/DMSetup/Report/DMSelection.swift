internal import SystemCalls

/// A condition on the rows of a report, as -S takes it: comparisons with `&&` (or `,`), `||` (or `#`), `!` and parentheses.
indirect enum DMSelection {
    case comparison(DMReportField, String, String)
    case both(DMSelection, DMSelection)
    case either(DMSelection, DMSelection)
    case not(DMSelection)
    case always

    /// Why a text is no condition.
    struct Problem: Error {
        let message: String
        var isHelp = false
    }

    init(_ text: String) throws(Problem) {
        if text.isEmpty {
            self = .always
            return
        }
        if text.trimmed == "help" {
            throw Problem(message: DMReportField.help(withTypes: true) + Self.operators, isHelp: true)
        }
        var parser = Parser(rest: text[...])
        self = try parser.either()
        guard parser.rest.trimmed.isEmpty else { throw parser.problem() }
    }

    private static let operators =
        "\nComparisons: = != < > <= >=, for texts also =~ and !~ with a regular expression.\n"
        + "Together: && or , for both; || or # for one of them; ! and ( ).\n"

    /// Whether the condition takes a row.
    func takes(_ row: DMReportRow) throws(DMSetupFailed) -> Bool {
        switch self {
        case .always: return true
        case .both(let left, let right): return try left.takes(row) ? try right.takes(row) : false
        case .either(let left, let right): return try left.takes(row) ? true : try right.takes(row)
        case .not(let condition): return try !condition.takes(row)
        case .comparison(let field, let relation, let value):
            return Self.compare(try field.key(row), relation, value, field)
        }
    }

    private static func compare(_ key: DMReportKey, _ relation: String, _ value: String, _ field: DMReportField) -> Bool
    {
        if relation == "=~" || relation == "!~" {
            return RegularExpression.matches(value, key.text) == (relation == "=~")
        }
        let (left, right) = (key.number, number(value, field) ?? 0)
        switch relation {
        case "=": return field.isNumber ? left == right : key.text == value
        case "!=": return field.isNumber ? left != right : key.text != value
        case "<": return left < right
        case ">": return left > right
        case "<=": return left <= right
        default: return left >= right
        }
    }

    /// The number that a value stands for.
    private static func number(_ value: String, _ field: DMReportField) -> Double? {
        if field.isSize { return SizeUnits.sectors(value, standard: "m") }
        guard value.first?.isNumber ?? false else { return nil }
        return field.amount == nil ? UInt64(value).map { Double($0) } : Double(value)
    }

    private struct Parser {
        var rest: Substring

        mutating func skipSpace() { rest = rest.drop { $0.isWhitespace } }

        mutating func take(_ words: String...) -> Bool {
            skipSpace()
            guard let word = words.first(where: { rest.hasPrefix($0) }) else { return false }
            rest = rest.dropFirst(word.count)
            return true
        }

        func problem(_ reason: String = "") -> Problem {
            let reason = reason.isEmpty ? "" : reason + "\n"
            return Problem(
                message: "\(reason)Selection syntax error at '\(rest)'.\nUse 'help' for selection to get more help.")
        }

        private func parenthesis(_ side: String) -> Problem {
            Problem(message: "Syntax error: \(side) parenthesis expected at '\(rest)'")
        }

        mutating func either() throws(Problem) -> DMSelection {
            var condition = try both()
            while take("||", "#") { condition = .either(condition, try both()) }
            return condition
        }

        mutating func both() throws(Problem) -> DMSelection {
            var condition = try one()
            while take("&&", ",") { condition = .both(condition, try one()) }
            return condition
        }

        mutating func one() throws(Problem) -> DMSelection {
            if take("!") {
                skipSpace()
                guard rest.hasPrefix("(") else { throw parenthesis("left") }
                return .not(try one())
            }
            if take("(") {
                let condition = try either()
                guard take(")") else { throw parenthesis("right") }
                return condition
            }
            return try comparison()
        }

        mutating func comparison() throws(Problem) -> DMSelection {
            skipSpace()
            let start = rest
            let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
            guard !name.isEmpty else { throw problem("Expecting field name") }
            guard let field = DMReport.fields(named: name.lowercased())?.first else {
                throw Problem(
                    message: DMReportField.help(withTypes: true) + "\nUnrecognised selection field: \(name)\n"
                        + "\(problem().message)")
            }
            rest = rest.dropFirst(name.count)
            skipSpace()
            guard let relation = ["=~", "!~", "!=", ">=", "<=", "=", "<", ">"].first(where: { rest.hasPrefix($0) })
            else {
                let found = rest
                rest = start
                throw problem("Unrecognised comparison operator: \(found)")
            }
            rest = rest.dropFirst(relation.count)
            if relation.hasSuffix("~"), field.isNumber {
                throw Problem(message: "dm_report: incompatible comparison type for selection field \(field.name)")
            }
            if relation.hasPrefix("<") || relation.hasPrefix(">"), !field.isNumber {
                rest = start
                throw problem("Operator can be used only with number, size, time or percent fields: \(start)")
            }
            let value = try self.value()
            if field.isNumber, number(value, field) == nil {
                rest = start
                throw problem("Failed to parse numeric value for selection field \(field.name).")
            }
            return .comparison(field, relation, value)
        }

        /// A value: in quotation marks, or up to what ends it.
        private mutating func value() throws(Problem) -> String {
            skipSpace()
            if let quote = rest.first, quote == "\"" || quote == "'" {
                let content = rest.dropFirst().prefix { $0 != quote }
                guard rest.dropFirst(content.count + 1).first == quote else { throw problem("Missing closing quote.") }
                rest = rest.dropFirst(content.count + 2)
                return String(content)
            }
            let ends: [Character] = [",", "#", ")", "&", "|"]
            let content = rest.prefix { !ends.contains($0) && !$0.isWhitespace }
            rest = rest.dropFirst(content.count)
            return String(content)
        }
    }
}

/// The regular expressions of the C library.
enum RegularExpression {
    static func matches(_ pattern: String, _ text: String) -> Bool {
        var expression = unsafe regex_t()
        guard unsafe regcomp(&expression, pattern, REG_EXTENDED | REG_NOSUB) == 0 else { return false }
        defer { unsafe regfree(&expression) }
        return unsafe regexec(&expression, text, 0, nil, 0) == 0
    }
}

extension StringProtocol {
    /// The text without the white space around it.
    fileprivate var trimmed: SubSequence {
        var rest = self[...]
        while let last = rest.last, last.isWhitespace { rest = rest.dropLast() }
        return rest.drop { $0.isWhitespace }
    }
}
