/// An option of a program of thin-provisioning-tools, or the argument without a name that some of them have.
struct ToolOption {
    /// The long name, without the hyphens.
    let name: String
    var short: Character?
    /// The name of the value in the help; `nil` for a flag.
    var value: String?
    /// The text of the help.
    let help: String
    var isRequired = false
    /// Whether the value may be missing; if it is there, it stands behind “=”.
    var isValueOptional = false
    /// Whether it may be given more than once.
    var repeats = false
    /// Whether it is the argument that stands without a name.
    var isPositional = false
    /// Whether the help leaves it out.
    var isHidden = false
    /// The values that it may have; any if there are none.
    var choices: [String] = []
    /// Another long name.
    var alias: String?
    /// Options that it cannot be used with.
    var excluded: [String] = []

    /// The argument without a name.
    static func input(_ help: String) -> ToolOption {
        ToolOption(name: "INPUT", value: "INPUT", help: help, isRequired: true, isPositional: true)
    }

    /// Whether this is a long name of the option.
    func isNamed(_ name: Substring) -> Bool {
        !isPositional && (self.name == name || alias.map { $0 == name } ?? false)
    }

    /// How a message names the option.
    var pattern: String {
        guard let value else { return "--\(name)" }
        if isPositional { return "<\(value)>" }
        return isValueOptional ? "--\(name)[=<\(value)>]" : "--\(name) <\(value)>"
    }
}

/// Why the arguments of a program called by its own name are wrong, in that program's words.
struct ToolUsageError: Error {
    /// The text for standard error.
    let message: String

    /// - Parameters:
    ///   - tip: The argument that may have been meant.
    ///   - usage: The line of usage, for the errors that show one.
    init(_ error: String, tip: String? = nil, usage: String? = nil) {
        let tip = tip.map { "\n  tip: \($0)\n" } ?? ""
        let usage = usage.map { "\n\($0)\n" } ?? ""
        message = "error: \(error)\n\(tip)\(usage)\nFor more information, try '--help'.\n"
    }
}

/// The arguments of a program that is called by its own name, taken as thin-provisioning-tools 1.1 takes them.
struct ToolArguments {
    /// Whether the arguments ask for the work, the help or the version.
    enum Request { case run, help, version }

    private let program: String
    private let options: [ToolOption]
    /// The values that were given, by the names of the options; a flag has an empty text.
    private var values: [String: [String]] = [:]
    /// The names of the options that were given, in the order of the command line.
    private var given: [String] = []
    private(set) var request = Request.run

    init(_ program: String, _ options: [ToolOption], parsing arguments: [String]) throws(ToolUsageError) {
        self.program = program
        self.options =
            options + [
                ToolOption(name: "help", short: "h", value: nil, help: "Print help"),
                ToolOption(name: "version", short: "V", value: nil, help: "Print version"),
            ]
        var rest = arguments[...]
        var isBehindOptions = false
        while let argument = rest.popFirst(), request != .help {
            if isBehindOptions {
                try takePositional(argument)
            } else if argument.hasPrefix("--"), argument.count > 2 {
                try takeLong(argument, &rest)
            } else if argument.hasPrefix("-"), argument.count > 1, argument != "--" {
                try takeShort(argument, &rest)
            } else if argument == "--" {
                isBehindOptions = true
            } else {
                try takePositional(argument)
            }
        }
        if request == .version, values.count > 1 {
            throw ToolUsageError(
                "the argument '--version' cannot be used with one or more of the other specified arguments",
                usage: usage(used: []))
        }
        guard request == .run else { return }
        try refuseExcluded()
        let missing =
            options.filter { $0.isRequired && !$0.isPositional && values[$0.name] == nil }
            + options.filter { $0.isRequired && $0.isPositional && values[$0.name] == nil }
        guard missing.isEmpty else {
            let list = missing.map { "  \($0.pattern)\n" }.joined()
            throw ToolUsageError(
                "the following required arguments were not provided:\n\(list.dropLast())",
                usage: usage(used: used, isShort: true))
        }
    }

    /// The options that every program has.
    private static let common: Set<String> = ["help", "version"]

    private var used: Set<String> { Set(options.filter { !$0.isHidden && values[$0.name] != nil }.map(\.name)) }

    private func refuseExcluded() throws(ToolUsageError) {
        let given = given.compactMap { name in options.first { $0.name == name } }
        for (index, option) in given.enumerated() {
            for other in given[index...]
            where option.excluded.contains(other.name) || other.excluded.contains(option.name) {
                throw ToolUsageError(
                    "the argument '\(option.pattern)' cannot be used with '\(other.pattern)'",
                    usage: usage(used: used.subtracting([other.name])))
            }
        }
    }

    private mutating func takePositional(_ argument: String) throws(ToolUsageError) {
        guard let input = options.first(where: { $0.isPositional }), values[input.name] == nil else {
            throw unexpected(argument, used: [])
        }
        values[input.name] = [argument]
    }

    private func unexpected(_ argument: String, used: Set<String>) -> ToolUsageError {
        let isMeant = argument.hasPrefix("-") && options.contains { $0.isPositional }
        return ToolUsageError(
            "unexpected argument '\(argument)' found",
            tip: isMeant ? "to pass '\(argument)' as a value, use '-- \(argument)'" : nil, usage: usage(used: used))
    }

    private mutating func takeLong(_ argument: String, _ rest: inout ArraySlice<String>) throws(ToolUsageError) {
        let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let option = options.first(where: { $0.isNamed(parts[0]) }) else {
            throw unexpected("--\(parts[0])", used: used)
        }
        try take(option, attached: parts.count > 1 ? String(parts[1]) : nil, &rest)
    }

    private mutating func takeShort(_ argument: String, _ rest: inout ArraySlice<String>) throws(ToolUsageError) {
        var letters = argument.dropFirst()
        while let letter = letters.popFirst() {
            guard let option = options.first(where: { $0.short == letter }) else {
                throw unexpected("-\(letter)", used: [])
            }
            if option.value == nil || (option.isValueOptional && letters.first != "=") {
                try take(option, attached: nil, &rest)
                continue
            }
            if letters.first == "=" {
                letters.removeFirst()
            } else if letters.isEmpty {
                return try take(option, attached: nil, &rest)
            }
            return try take(option, attached: String(letters), &rest)
        }
    }

    private mutating func take(
        _ option: ToolOption, attached: String?, _ rest: inout ArraySlice<String>
    ) throws(ToolUsageError) {
        given.append(option.name)
        guard option.repeats || values[option.name] == nil else {
            throw ToolUsageError(
                "the argument '\(option.pattern)' cannot be used multiple times", usage: usage(used: []))
        }
        guard option.value != nil else {
            if let attached {
                throw ToolUsageError(
                    "unexpected value '\(attached)' for '--\(option.name)' found; no more were expected",
                    usage: usage(used: used.union([option.name])))
            }
            values[option.name] = [""]
            if option.name == "help" { request = .help }
            if option.name == "version" { request = .version }
            return
        }
        if option.isValueOptional, attached == nil {
            values[option.name, default: []].append("")
            return
        }
        guard let value = attached ?? (rest.first?.hasPrefix("-") == true ? nil : rest.popFirst()) else {
            if let next = rest.first, next.count > 1, !options.contains(where: { next.dropFirst().first == $0.short }),
                !next.hasPrefix("--")
            {
                throw unexpected(String(next.prefix(2)), used: [])
            }
            throw ToolUsageError("a value is required for '\(option.pattern)' but none was supplied")
        }
        guard option.choices.isEmpty || option.choices.contains(value) else {
            throw ToolUsageError(
                "invalid value '\(value)' for '\(option.pattern)'\n"
                    + "  [possible values: \(option.choices.joined(separator: ", "))]")
        }
        values[option.name, default: []].append(value)
    }

    /// The line of usage.
    ///
    /// - Parameters:
    ///   - used: The options that were given so far. With any, the line has them and no longer says [OPTIONS].
    ///   - isShort: Whether [OPTIONS] is left out in any case.
    private func usage(used: Set<String>, isShort: Bool = false) -> String {
        var words = ["Usage: \(program)"]
        let named = options.filter { !$0.isPositional }
        // Only where there are more than those that must be given.
        if used.isEmpty, !isShort, named.contains(where: { !$0.isRequired && !Self.common.contains($0.name) }) {
            words.append("[OPTIONS]")
        }
        words += named.filter(\.isRequired).map(\.pattern)
        words += named.filter { !$0.isRequired && used.contains($0.name) }.map(\.pattern)
        words += options.filter { $0.isPositional && !$0.isHidden }.map(\.pattern)
        return words.joined(separator: " ")
    }

    /// The text of `--help`.
    func helpText(_ about: String) -> String {
        let positional = options.filter { $0.isPositional && !$0.isHidden }.map { "  \($0.pattern)  \($0.help)\n" }
        let arguments = positional.isEmpty ? "" : "Arguments:\n\(positional.joined())\n"
        let rows = options.filter { !$0.isPositional }.sorted { key($0) < key($1) }.map { option in
            let alias = option.alias.map { " [aliases: \($0)]" } ?? ""
            return ((option.short.map { "-\($0), " } ?? "    ") + option.pattern, option.help + alias)
        }
        let width = rows.map(\.0.count).max() ?? 0
        let lines = rows.map { row in
            "  \(row.0.padded(width + 2))\(row.1)\n"
        }
        return "\(about)\n\n\(usage(used: []))\n\n\(arguments)Options:\n\(lines.joined())"
    }

    /// The order of the help: by the short name, or the long one where there is none; capitals behind.
    private func key(_ option: ToolOption) -> String {
        guard let short = option.short else { return option.name }
        return "\(short)".lowercased() + (short.isUppercase ? "1" : "0")
    }

    /// Whether a flag was given.
    func has(_ option: String) -> Bool { values[option] != nil }

    /// The value of an option.
    func text(_ option: String) -> String? { values[option]?.last }

    /// The values of an option that may be given more than once, as `read` understands them.
    ///
    /// - Throws: ``ToolUsageError`` with the reason that `read` throws.
    func all<Value>(
        _ option: String, _ read: (String) throws(NumberError) -> Value
    ) throws(ToolUsageError) -> [Value] {
        var found: [Value] = []
        for text in values[option] ?? [] {
            do throws(NumberError) {
                found.append(try read(text))
            } catch {
                throw invalid(option, text, error.reason)
            }
        }
        return found
    }

    /// The value of an option that takes a number.
    func number<Number: FixedWidthInteger & UnsignedInteger>(_ option: String) throws(ToolUsageError) -> Number? {
        guard let text = text(option), !text.isEmpty || !isValueOptional(option) else { return nil }
        do {
            return try Self.number(text)
        } catch {
            throw invalid(option, text, error.reason)
        }
    }

    private func isValueOptional(_ option: String) -> Bool {
        options.contains { $0.name == option && $0.isValueOptional }
    }

    /// Why a text is no number.
    struct NumberError: Error { let reason: String }

    /// Reads a number as the programs do.
    static func number<Number: FixedWidthInteger & UnsignedInteger>(_ text: String) throws(NumberError) -> Number {
        guard !text.isEmpty else { throw NumberError(reason: "cannot parse integer from empty string") }
        if let number = Number(text) { return number }
        let digits = text.hasPrefix("+") ? text.dropFirst() : text[...]
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else {
            throw NumberError(reason: "invalid digit found in string")
        }
        throw NumberError(reason: "number too large to fit in target type")
    }

    /// An error about the value of an option.
    func invalid(_ option: String, _ reason: String) -> ToolUsageError { invalid(option, text(option) ?? "", reason) }

    private func invalid(_ option: String, _ text: String, _ reason: String) -> ToolUsageError {
        let pattern = options.first { $0.name == option }?.pattern ?? option
        return ToolUsageError("invalid value '\(text)' for '\(pattern)': \(reason)")
    }
}
