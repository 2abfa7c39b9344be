internal import FoundationEssentials
internal import Synchronization
internal import SystemPackage

/// Prints a command's result to standard output, as text for people and scripts or as JSON for programs.
struct Output {
    /// Whether results are printed as JSON.
    let isJSON: Bool
    /// Whether a result in JSON is on a line of its own, because more of them follow.
    private var isOfRounds = false

    init(isJSON: Bool) {
        self.isJSON = isJSON
    }

    /// The output of a command that prints its whole result again and again: in JSON, each is on a line.
    var ofRounds: Output {
        var output = self
        output.isOfRounds = true
        return output
    }

    /// Prints a result.
    ///
    /// Only the form that is asked for is made.
    ///
    /// - Parameters:
    ///   - json: The result as JSON, whose keys stay what they are.
    ///   - text: The result as text without the last newline; `nil` prints nothing.
    func print<Result: Encodable>(
        json: @autoclosure () throws -> Result, text: @autoclosure () -> String?
    ) throws {
        try write(json(), text(), formatting: isOfRounds ? [] : [.prettyPrinted])
    }

    /// Prints one of many results that appear one after the other, each on a line of its own, in JSON as well.
    func printLine<Result: Encodable>(
        json: @autoclosure () throws -> Result, text: @autoclosure () -> String
    ) throws {
        try write(json(), text(), formatting: [])
    }

    /// Prints a list that may be long: a line for each element, or an array in JSON.
    ///
    /// - Parameters:
    ///   - json: An element as JSON, whose keys stay what they are.
    ///   - line: An element as bytes, without the end of the line.
    func printList<Element>(
        _ elements: some Collection<Element>, json: (Element) -> some Encodable, line: (Element) -> [UInt8]
    ) throws {
        let encoder = Self.encoder([])
        var bytes: [UInt8] = isJSON ? Array("[".utf8) : []
        var isFirst = true
        for element in elements {
            if isJSON {
                bytes += (isFirst ? "\n  " : ",\n  ").utf8
                bytes += try encoder.encode(json(element))
            } else {
                bytes += line(element)
                bytes.append(UInt8(ascii: "\n"))
            }
            isFirst = false
            if bytes.count > 1 << 16 {
                try Self.write(bytes)
                bytes.removeAll(keepingCapacity: true)
            }
        }
        if isJSON { bytes += (isFirst ? "]\n" : "\n]\n").utf8 }
        try Self.write(bytes)
    }

    private static func encoder(_ formatting: JSONEncoder.OutputFormatting) -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
        return encoder
    }

    private func write<Result: Encodable>(
        _ json: @autoclosure () throws -> Result, _ text: @autoclosure () -> String?,
        formatting: JSONEncoder.OutputFormatting
    ) throws {
        var bytes: [UInt8]
        if isJSON {
            bytes = Array(try Self.encoder(formatting).encode(json()))
        } else if let text = text() {
            bytes = Array(text.utf8)
        } else {
            return
        }
        bytes.append(UInt8(ascii: "\n"))
        try Self.write(bytes)
    }

    /// Writes text to standard output as it is.
    static func write(_ text: String) throws { try write(Array(text.utf8)) }

    private static func write(_ bytes: [UInt8]) throws {
        do {
            try FileDescriptor.standardOutput.writeAll(bytes)
        } catch {
            throw Failure("cannot write the result to standard output: \(error)")
        }
    }

    // MARK: Standard error

    /// How grave a message is.
    private enum Level: String, Encodable {
        case info, error
    }

    private struct Message: Encodable {
        let level: Level
        let message: String
        let time: Double
    }

    /// Whether messages are JSON too, because the command was asked for JSON.
    private static let hasJSONMessages = Atomic(false)

    /// Lets messages be JSON from now on.
    static func useJSONMessages() {
        hasJSONMessages.store(true, ordering: .relaxed)
    }

    /// Prints a message for the person who runs the command to standard error: a line of text, or an object in JSON on a
    /// line of its own, with the fields of the service's log.
    static func note(_ message: String) {
        say(message, .info)
    }

    /// Prints why the command fails to standard error, in the form of ``note(_:)``.
    static func error(_ message: String) {
        say(message, .error)
    }

    private static func say(_ message: String, _ level: Level) {
        var line = Array("dmlayer: \(message)".utf8)
        if hasJSONMessages.load(ordering: .relaxed) {
            let milliseconds = (Date.now.timeIntervalSince1970 * 1000).rounded()
            // Text and a number can always be encoded; the text itself is better than nothing.
            let json = try? encoder([]).encode(Message(level: level, message: message, time: milliseconds / 1000))
            line = json.map { Array($0) } ?? line
        }
        // Where standard error is closed, nobody listens.
        _ = try? FileDescriptor.standardError.writeAll(line + [UInt8(ascii: "\n")])
    }
}

/// Why a command failed, where no error of a library says it.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
