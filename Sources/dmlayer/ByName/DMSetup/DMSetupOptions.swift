/// The options of a command line of dmsetup, read as the C library's `getopt_long` reads them.
///
/// Options may stand anywhere before “--”, long names may be shortened, and short ones may be joined.
struct DMSetupOptions {
    /// Why a command line cannot be read: the text for standard error.
    struct Problem: Error {
        let message: String
    }

    /// The long names in the order in which a message lists them; a colon marks those with a value.
    ///
    /// dmsetup and dmstats have one table, so names of dmstats are known here too.
    private static let names =
        """
        alias: alldevices allprograms allregions area areas: areasize: bounds: checks clear columns concise count: deferred \
        select: exec: filemap follow: force foreground gid: group groupid: help histogram inactive interval: length: \
        manglename: major: minor: mode: nameprefixes nogroup noflush noheadings nolockfs noopencount nosuffix notable \
        notimesuffix nomonitor udevcookie: noudevrules noudevsync options: precise programid: raw readonly readahead: \
        region regions: regionid: relative retry rows segments separator: setuuid showkeys sort: start: table: target: tree \
        uid: units: uuid: unbuffered unquoted userdata: verbose: verifyudev version yes addnodeonresume addnodeoncreate
        """.split(separator: " ")

    private static let shorts: [Character: String] = [
        "c": "columns", "C": "columns", "f": "force", "G": "gid:", "h": "help", "j": "major:", "m": "minor:",
        "M": "mode:",
        "n": "notable", "o": "options:", "O": "sort:", "r": "readonly", "S": "select:", "u": "uuid:", "U": "uid:",
        "v": "verbose", "y": "yes",
    ]

    private var values: [String: String] = [:]
    /// The command and its arguments.
    private(set) var words: [String] = []
    private let program: String

    init(_ program: String, parsing arguments: [String]) throws(Problem) {
        self.program = program
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" {
                words += rest
                return
            } else if argument.hasPrefix("--") {
                try takeLong(argument.dropFirst(2), &rest)
            } else if argument.hasPrefix("-"), argument.utf8.count > 1 {
                try takeShort(argument.dropFirst(), &rest)
            } else {
                words.append(argument)
            }
        }
    }

    /// Puts a command before the words, if there are any.
    mutating func put(_ command: String) {
        if !words.isEmpty { words.insert(command, at: 0) }
    }

    private mutating func takeLong(_ argument: Substring, _ rest: inout ArraySlice<String>) throws(Problem) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let given = parts.first ?? ""
        let exact = Self.names.filter { $0 == given || $0.dropLast() == given && $0.hasSuffix(":") }
        let found = exact.isEmpty ? Self.names.filter { $0.hasPrefix(given) } : exact
        guard let option = found.first else { throw problem("unrecognized option '--\(given)'") }
        guard found.count == 1 else {
            let list = found.map { " '--\($0.hasSuffix(":") ? $0.dropLast() : $0)'" }.joined()
            throw problem("option '--\(given)' is ambiguous; possibilities:\(list)")
        }
        guard option.hasSuffix(":") else {
            guard parts.count == 1 else { throw problem("option '--\(option)' doesn't allow an argument") }
            values[String(option)] = ""
            return
        }
        guard let value = parts.count > 1 ? String(parts[1]) : rest.popFirst() else {
            throw problem("option '--\(option.dropLast())' requires an argument")
        }
        values[String(option.dropLast())] = value
    }

    private mutating func takeShort(_ argument: Substring, _ rest: inout ArraySlice<String>) throws(Problem) {
        var letters = argument
        while let letter = letters.popFirst() {
            guard let option = Self.shorts[letter] else { throw problem("invalid option -- '\(letter)'") }
            guard option.hasSuffix(":") else {
                values[option] = ""
                continue
            }
            guard let value = letters.isEmpty ? rest.popFirst() : String(letters) else {
                throw problem("option requires an argument -- '\(letter)'")
            }
            values[String(option.dropLast())] = value
            return
        }
    }

    private func problem(_ text: String) -> Problem { Problem(message: "\(program): \(text)") }

    /// Whether an option was given.
    func has(_ option: String) -> Bool { values[option] != nil }

    /// The value of an option that was given.
    func text(_ option: String) -> String? { values[option] }

    /// The value of an option that takes a number, as C's `strtol` reads it: 0 where no number begins the text.
    func number(_ option: String, radix: Int = 10) -> Int? {
        values[option].map { CNumber.leading($0, radix: radix).value }
    }

    /// Whether -u or -j and -m name the device.
    var nameDevice: Bool { has("uuid") || has("major") }
}

/// Numbers as the C library reads them.
enum CNumber {
    /// Reads the number at the beginning of a text, behind white space and a sign.
    ///
    /// - Parameter radix: The base; 0 takes it from the prefix `0x` or `0`.
    /// - Returns: The number, 0 if there is none; and the rest of the text.
    static func leading(_ text: some StringProtocol, radix: Int = 10) -> (value: Int, rest: String) {
        var rest = Substring(text).drop { $0.isWhitespace }
        let isNegative = rest.first == "-"
        if rest.first == "-" || rest.first == "+" { rest.removeFirst() }
        var radix = radix
        if (radix == 0 || radix == 16), rest.hasPrefix("0x") || rest.hasPrefix("0X") {
            rest = rest.dropFirst(2)
            radix = 16
        } else if radix == 0 {
            radix = rest.hasPrefix("0") ? 8 : 10
        }
        let digits = rest.prefix { $0.isASCII && Int(String($0), radix: radix) != nil }
        guard !digits.isEmpty else { return (0, String(text)) }
        let value = Int(digits, radix: radix) ?? .max
        return (isNegative ? -value : value, String(rest.dropFirst(digits.count)))
    }

    /// Reads a number that is the whole text.
    static func whole(_ text: some StringProtocol, radix: Int = 10) -> Int? {
        let (value, rest) = leading(text, radix: radix)
        return rest.isEmpty && !text.isEmpty ? value : nil
    }
}
