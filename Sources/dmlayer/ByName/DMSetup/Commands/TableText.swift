internal import DeviceMapper

/// A mapping table as dmsetup reads it from an option, a file or standard input.
struct TableText {
    private(set) var entries: [TableEntry] = []

    /// Reads lines of `start length target parameters`; what stands behind `#` is a comment.
    ///
    /// The parameters go to the kernel as they are written.
    ///
    /// - Parameter file: The name of the file in messages.
    init(_ text: String, file: String = "") throws(DMSetupFailed) {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            try add(line, number: index + 1, file)
        }
    }

    private mutating func add(_ line: Substring, number: Int, _ file: String) throws(DMSetupFailed) {
        var content = line.drop { $0.isWhitespace }
        while let last = content.last, last.isWhitespace { content.removeLast() }
        if content.isEmpty || content.first == "#" { return }
        let words = content.split(maxSplits: 3, whereSeparator: \.isWhitespace)
        guard words.count >= 3, let start = Self.sectors(words[0]), let length = Self.sectors(words[1]) else {
            throw DMSetupSession.failure("Invalid format on line \(number) of table \(file).")
        }
        guard words[2].utf8.count < 16 else {
            throw DMSetupSession.failure("Target type name \(words[2]) is too long.")
        }
        let parameters = words.count > 3 ? words[3].prefix { $0 != "#" } : ""
        entries.append(
            TableEntry(
                start: Sectors(start), length: Sectors(length),
                target: Target(type: String(words[2]), parameters: String(parameters))))
    }

    private static func sectors(_ word: Substring) -> UInt64? {
        guard !word.hasPrefix("-") else { return Int64(word).map { UInt64(bitPattern: $0) } }
        return UInt64(word)
    }
}

/// The devices of `create --concise`: `name,uuid,minor,flags,table[,table]…[;…]`, with a backslash before a comma, a semicolon or a
/// backslash that belongs to a field.
struct ConciseDevice {
    let name: String
    let uuid: String
    let minor: String
    let isReadOnly: Bool
    let table: [String]

    static func parse(_ text: String) throws(DMSetupFailed) -> [ConciseDevice] {
        var devices: [[String]] = [[""]]
        var isEscaped = false
        for character in text {
            let last = devices.count - 1
            if !isEscaped, character == "\\" {
                isEscaped = true
                continue
            }
            if isEscaped || ![",", ";"].contains(character) {
                if isEscaped, ![",", ";", "\\"].contains(character) {
                    devices[last][devices[last].count - 1].append("\\")
                }
                devices[last][devices[last].count - 1].append(character)
            } else if character == "," {
                devices[last].append("")
            } else {
                devices.append([""])
            }
            isEscaped = false
        }
        var parsed: [ConciseDevice] = []
        for fields in devices where fields != [""] { parsed.append(try ConciseDevice(fields)) }
        return parsed
    }

    private init(_ fields: [String]) throws(DMSetupFailed) {
        guard fields.count >= 5 else {
            throw DMSetupSession.failure(
                "Five comma-separated fields are required for each device\nParsed \(fields.count) fields: name: \(fields[0])"
            )
        }
        guard ["", "ro", "rw"].contains(fields[3]) else {
            throw DMSetupSession.failure("Invalid flags parameter '\(fields[3])' must be 'ro' or 'rw' or empty.")
        }
        (name, uuid, minor, isReadOnly) = (fields[0], fields[1], fields[2], fields[3] == "ro")
        table = Array(fields[4...])
    }
}

extension DMSetupSession {
    /// Prints a device in the form that `create --concise` takes.
    func printConcise(_ answer: (lines: [TargetLine], information: DeviceInformation)) throws(DMSetupFailed) {
        func escaped(_ text: String) -> String {
            text.map { [",", ";", "\\"].contains($0) ? "\\\($0)" : String($0) }.joined()
        }
        let wanted = options.text("target")
        let lines = answer.lines.filter { line in wanted.map { line.type == $0 } ?? true }
        if wanted != nil, lines.isEmpty { return }
        let information = answer.information
        let uuid = try information.uuid.map { uuid throws(DMSetupFailed) in try shown("\(uuid)", "UUID") } ?? ""
        printPart(conciseDevices > 0 ? ";" : "")
        conciseDevices += 1
        printPart(
            "\(escaped(try shown("\(information.name)", "name"))),\(escaped(uuid)),\(information.number.minor),"
                + "\(information.isReadOnly ? "ro" : "rw")")
        for line in lines {
            let text = options.has("showkeys") ? line.text : line.withoutKey
            printPart(",\(line.start) \(line.length) \(line.type) \(escaped(text))")
        }
    }

    /// The table of the option, of a file, or of standard input.
    func table(file: String?) throws(DMSetupFailed) -> [TableEntry] {
        if let text = options.text("table") { return try TableText(text).entries }
        return try TableText(InputText.read(file), file: file ?? "on stdin").entries
    }
}
