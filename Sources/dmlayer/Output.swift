internal import FoundationEssentials
internal import SystemPackage

/// Prints a command's result to standard output, as text for people and scripts or as JSON for programs.
struct Output {
    /// Whether results are printed as JSON.
    let isJSON: Bool

    /// Prints a result.
    ///
    /// - Parameters:
    ///   - json: The result as JSON, whose keys stay what they are.
    ///   - text: The result as text without the last newline; `nil` prints nothing.
    func print(json: some Encodable, text: @autoclosure () -> String?) throws {
        try write(json, text(), formatting: [.prettyPrinted])
    }

    /// Prints one of many results that appear one after the other, each on a line of its own, in JSON as well.
    func printLine(json: some Encodable, text: @autoclosure () -> String) throws {
        try write(json, text(), formatting: [])
    }

    private func write(
        _ json: some Encodable, _ text: @autoclosure () -> String?, formatting: JSONEncoder.OutputFormatting
    ) throws {
        var bytes: [UInt8]
        if isJSON {
            let encoder = JSONEncoder()
            encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
            bytes = Array(try encoder.encode(json))
        } else if let text = text() {
            bytes = Array(text.utf8)
        } else {
            return
        }
        bytes.append(UInt8(ascii: "\n"))
        do {
            try FileDescriptor.standardOutput.writeAll(bytes)
        } catch {
            throw Failure("cannot write the result to standard output: \(error)")
        }
    }

    /// Prints a message for the person who runs the command to standard error.
    static func note(_ message: String) {
        // Where standard error is closed, nobody listens.
        _ = try? FileDescriptor.standardError.writeAll("dmlayer: \(message)\n".utf8)
    }
}

/// Why a command failed, where no error of a library says it.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
