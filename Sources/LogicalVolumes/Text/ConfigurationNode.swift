/// A part of a text in lvm2's configuration format, which printed gives the same bytes that were read.
struct ConfigurationNode: Hashable, Sendable {
    /// The value or the section that a name stands for.
    enum Content: Hashable, Sendable {
        /// The text of the value, as it was written.
        case value([UInt8])
        /// The parts between braces, and the blank space and comments before the closing one.
        case section([ConfigurationNode], end: [UInt8])
    }

    /// The blank space and comments before the name.
    var leading: [UInt8]
    var name: String
    /// The bytes between the name and the value or the opening brace.
    var separator: [UInt8]
    var content: Content

    /// Makes an assignment on a line of its own.
    init(_ name: String, text: String) {
        leading = [Self.newline]
        self.name = name
        separator = Array(" = ".utf8)
        content = .value(Array(text.utf8))
    }

    init(_ name: String, _ number: UInt64) { self.init(name, text: "\(number)") }

    init(_ name: String, quoting text: String) { self.init(name, text: Self.quoted(text)) }

    /// Makes a section, as lvm2 writes it: a blank line, and each part on a line.
    init(_ name: String, _ children: [ConfigurationNode]) {
        leading = [Self.newline, Self.newline]
        self.name = name
        separator = Array(" ".utf8)
        content = .section(children, end: [Self.newline])
    }

    init(leading: [UInt8], name: String, separator: [UInt8], content: Content) {
        self.leading = leading
        self.name = name
        self.separator = separator
        self.content = content
    }

    private static let newline = UInt8(ascii: "\n")

    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for character in text.unicodeScalars {
            if character == "\"" || character == "\\" { quoted += "\\" }
            quoted.unicodeScalars.append(character)
        }
        return quoted + "\""
    }

    /// Appends what the node was read from.
    func print(to text: inout [UInt8]) {
        text += leading
        text += name.utf8
        text += separator
        switch content {
        case .value(let value): text += value
        case .section(let children, let end):
            text.append(UInt8(ascii: "{"))
            for child in children { child.print(to: &text) }
            text += end
            text.append(UInt8(ascii: "}"))
        }
    }

    // MARK: Reading

    /// The parts of a section.
    var children: [ConfigurationNode]? {
        if case .section(let children, _) = content { children } else { nil }
    }

    /// The value, if the node is an assignment of a form that is known.
    var value: ConfigurationValue? {
        if case .value(let text) = content { ConfigurationValue(parsing: text) } else { nil }
    }

    // MARK: Changing

    /// Changes the parts of a section.
    mutating func withChildren<Result>(_ change: (inout [ConfigurationNode]) throws -> Result) rethrows -> Result? {
        guard case .section(var children, let end) = content else { return nil }
        let result = try change(&children)
        content = .section(children, end: end)
        return result
    }

    /// Changes the part with a name, wherever it stands.
    mutating func withChild<Result>(
        _ name: String, _ change: (inout ConfigurationNode) throws -> Result
    ) rethrows -> Result? {
        try withChildren { children in
            guard let index = children.firstIndex(where: { $0.name == name }) else { return nil }
            return try change(&children[index])
        } ?? nil
    }

    /// Gives an assignment another number and leaves everything around it.
    mutating func set(_ name: String, _ number: UInt64) {
        withChild(name) { $0.content = .value(Array("\(number)".utf8)) }
    }
}
