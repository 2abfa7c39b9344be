internal import ArgumentParser
internal import CShims

/// The command `dmlayer`.
@main
struct DMLayer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dmlayer",
        abstract: "Thin-provisioned layers, and the device mapper below them, without libdevmapper or udev.",
        version: version,
        // Each command says its name: to derive it from its type's takes the parser a tenth of a millisecond each time.
        groupedSubcommands: [
            CommandGroup(
                name: "Store", subcommands: [Initialize.self, Info.self, Check.self, Shutdown.self, Support.self]),
            CommandGroup(
                name: "Layer",
                subcommands: [
                    Create.self, MountLayer.self, UnmountLayer.self, Remove.self, List.self, Tree.self, Inspect.self,
                    Resize.self, Trim.self, WhyBig.self, WhyBusy.self, Changes.self, Diff.self, Apply.self,
                ]),
            CommandGroup(name: "Image", subcommands: images),
            CommandGroup(name: "Pool", subcommands: [Pool.self, Metadata.self]),
            CommandGroup(name: "Service", subcommands: service + [SnapshotCommands.self, Config.self]),
            CommandGroup(name: "Device", subcommands: [DM.self]),
        ].filter { !$0.subcommands.isEmpty })

    /// The version, and the commit from which the program was built where that is known.
    private static let version: String = {
        let (number, commit) = ("0.1.0", unsafe String(cString: dmshim_build_commit()))
        return commit.isEmpty ? number : "\(number) (\(commit))"
    }()

    /// The commands that need the trait `Images`.
    #if Images
    private static let images: [any ParsableCommand.Type] = [Image.self, Container.self]
    #else
    private static let images: [any ParsableCommand.Type] = []
    #endif

    /// The commands that need the trait `Daemon`.
    #if Daemon
    private static let service: [any ParsableCommand.Type] = [Serve.self, Ping.self]
    #else
    private static let service: [any ParsableCommand.Type] = []
    #endif

    // Every command has this group or a part of it: what stands before its name is found by this one, and the parser
    // hands its values on.
    @OptionGroup var options: GlobalOptions

    /// Runs the command that the arguments name.
    ///
    /// The exit status is 0 when it was done, 1 when it failed and 64 when it was called in a wrong way; `check` has one
    /// more.
    static func main() {
        ByName.runIfCalled()
        // The parser makes the help twice: for its text, and for the exit status. That was half the time of this call.
        if CommandLine.arguments.dropFirst().elementsEqual(["--help"]) {
            print(helpMessage())
            return
        }
        do {
            var command = try parseAsRoot()
            do {
                try command.run()
            } catch  where exitCode(for: error) == .failure {
                // A command that throws a bare status has said the rest itself.
                if !(error is ExitCode) { Output.error("\(error)\(Privileges.advice(about: "\(error)"))") }
                throw ExitCode.failure
            }
        } catch {
            // The parser's own errors are here too: help that was asked for, and wrong usage.
            if let question = MistypedCommand.question(about: error, Array(CommandLine.arguments.dropFirst())) {
                Output.note(question)
            }
            exit(withError: error)
        }
    }
}
