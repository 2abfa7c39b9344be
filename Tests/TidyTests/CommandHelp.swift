import FoundationEssentials
import TestSupport

/// The commands of the built program, from the parser's own description of them.
struct CommandHelp: Decodable {
    struct Name: Decodable {
        let kind: String
        let name: String
    }

    struct Argument: Decodable {
        let kind: String
        let shouldDisplay: Bool
        let names: [Name]?

        /// The long names as they are written on a command line.
        var options: [String] { (names ?? []).filter { $0.kind == "long" }.map { "--\($0.name)" } }
    }

    struct Command: Decodable {
        let commandName: String
        let subcommands: [Command]?
        let arguments: [Argument]?

        /// The commands below this one that do something, with their words and their options.
        func leaves(below words: [String] = []) -> [String: Set<String>] {
            let children = (subcommands ?? []).filter { $0.commandName != "help" }
            guard !children.isEmpty else {
                let options = (arguments ?? []).filter(\.shouldDisplay).flatMap(\.options)
                return [words.joined(separator: " "): Set(options)]
            }
            return children.reduce(into: [:]) { result, child in
                result.merge(child.leaves(below: words + [child.commandName])) { first, _ in first }
            }
        }
    }

    private let command: Command

    /// The options of each command, by the words after “dmlayer”; without those that every command has.
    static func commands() throws -> [String: Set<String>] {
        // The tests and the program are built into one folder.
        let help = try Shell.run(
            "\"$(dirname \"$(readlink /proc/$PPID/exe)\")/dmlayer\" --experimental-dump-help")
        return try JSONDecoder().decode(CommandHelp.self, from: Data(help.utf8)).command.leaves()
            .mapValues { $0.subtracting(["--help", "--version"]) }
    }
}
