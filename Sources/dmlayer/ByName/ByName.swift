internal import SystemCalls
internal import SystemPackage
internal import ThinProvisioning

/// A program of another project that this one is when it is called by that program's name.
protocol ProgramByName {
    /// The name of the program.
    static var name: String { get }

    /// Does what the program does, and returns its exit status.
    static func run(_ arguments: [String]) -> CInt
}

/// The programs that this one is by their names.
enum ByName {
    /// A row for each program.
    private static var programs: [any ProgramByName.Type] {
        [
            DMSetup.self, DMStats.self, ThinCheck.self, ThinDeltaProgram.self, ThinDump.self, ThinLs.self,
            ThinMetadataSize.self,
            ThinRepair.self, ThinRestore.self, ThinRmap.self,
        ]
    }

    /// Runs the program by whose name this one was called, and does not return then.
    static func runIfCalled() {
        // To take the path apart, the runtime would first look through all conformances of the program, which takes as long as the
        // rest of a short command.
        guard let called = CommandLine.arguments.first,
            let program = programs.first(where: { called == $0.name || called.hasSuffix("/\($0.name)") })
        else { return }
        exit(program.run(Array(CommandLine.arguments.dropFirst())))
    }
}

/// A program of thin-provisioning-tools: options, output and exit status are those of version 1.1.0.
protocol ThinTool: ProgramByName {
    /// The first line of the help.
    static var about: String { get }
    static var options: [ToolOption] { get }

    /// Does the work.
    ///
    /// - Throws: ``ToolUsageError`` for wrong arguments; any other error ends the program with status 64.
    static func run(_ arguments: ToolArguments) throws
}

extension ThinTool {
    /// The version whose behaviour the programs have.
    private static var version: String { "1.1.0" }

    static func run(_ arguments: [String]) -> CInt {
        var isQuiet = false
        do {
            let arguments = try ToolArguments(name, options, parsing: arguments)
            isQuiet = arguments.has("quiet")
            switch arguments.request {
            case .help: try print(arguments.helpText(about))
            case .version: try print("\(version)\n")
            case .run: try run(arguments)
            }
            return 0
        } catch let status as ToolStatus {
            return status.value
        } catch let error as ToolUsageError {
            complain(error.message)
            return 2
        } catch {
            if !isQuiet { complain("\(error)\n") }
            return 64
        }
    }

    static func print(_ text: String) throws {
        try FileDescriptor.standardOutput.writeAll(Array(text.utf8))
    }

    /// Prints to standard error.
    static func complain(_ text: String) {
        // Where standard error is closed, nobody listens.
        _ = try? FileDescriptor.standardError.writeAll(Array(text.utf8))
    }
}

/// The exit status of a program that has said everything already.
struct ToolStatus: Error {
    let value: CInt
}

extension ToolArguments {
    /// Fields of the pool that the arguments replace.
    func overrides() throws -> ThinMetadataDocumentReader.Overrides {
        .init(
            transactionID: try number("transaction-id"), blockSectors: try number("data-block-size"),
            dataBlocks: try number("nr-data-blocks"))
    }
}

/// The files of a program that reads one and writes another, checked as the programs check them.
struct ToolFiles {
    static let input = ToolOption(
        name: "input", short: "i", value: "FILE", help: "Specify the input device", isRequired: true)
    static let output = ToolOption(
        name: "output", short: "o", value: "FILE", help: "Specify the output device", isRequired: true)
    static let quiet = ToolOption(
        name: "quiet", short: "q", value: nil, help: "Suppress output messages, return only exit code.")
    static let transaction = ToolOption(
        name: "transaction-id", short: nil, value: "NUM", help: "Override the transaction id if needed")
    /// The restore has a help text of its own.
    static let blockSize = ToolOption(
        name: "data-block-size", value: "SECTORS", help: "Provide the data block size for repairing")
    static let dataBlocks = ToolOption(
        name: "nr-data-blocks", short: nil, value: "NUM", help: "Override the number of data blocks if needed")

    let input: FilePath
    let output: FilePath

    init(_ arguments: ToolArguments) throws {
        let (input, output) = (arguments.text("input") ?? "", arguments.text("output") ?? "")
        // A file that cannot be examined counts as missing, as in the programs.
        guard let found = try? Stat(FilePath(input)) else { throw Failure("Couldn't find input file '\(input)'") }
        guard found.type == .regular || found.type == .blockSpecial else {
            throw Failure("Not a block device or regular file '\(input)'.")
        }
        // As above.
        guard let place = try? Stat(FilePath(output)) else { throw Failure("Couldn't find output file '\(output)'") }
        guard place.type == .regular || place.type == .blockSpecial else {
            throw Failure("Invalid output file: Not a block device or regular file")
        }
        guard place.type == .blockSpecial || place.size >= 4096 else { throw Failure("Output file too small.") }
        (self.input, self.output) = (FilePath(input), FilePath(output))
    }
}
