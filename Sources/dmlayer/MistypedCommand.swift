internal import ArgumentParser
internal import LayerStore

/// Finds the command that a user probably meant by a name that no command has.
enum MistypedCommand {
    /// Asks the user about it.
    ///
    /// - Parameters:
    ///   - error: The parser's error, whose words name the arguments that it did not expect.
    ///   - arguments: The arguments of the program, without its name.
    /// - Returns: `nil` when the error is another one, or when no command has a similar name.
    static func question(about error: any Error, _ arguments: [String]) -> String? {
        guard DMLayer.exitCode(for: error) == .validationFailure else { return nil }
        let message = DMLayer.message(for: error)
        guard message.lowercased().contains("unexpected argument"),
            let place = arguments.firstIndex(where: { message.contains("'\($0)'") })
        else { return nil }
        var command: any ParsableCommand.Type = DMLayer.self
        for word in arguments[..<place] {
            command = command.configuration.subcommands.first { $0.configuration.commandName == word } ?? command
        }
        let names = command.configuration.subcommands.compactMap { $0.configuration.commandName }
        return Spelling.nearest(to: arguments[place], among: names).map {
            "there is no command “\(arguments[place])”; did you mean “\($0)”?"
        }
    }
}
