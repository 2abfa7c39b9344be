internal import DeviceMapper
internal import SystemCalls

/// dmsetup: commands, options, output and exit status are those of versions 1.02.185 and 1.02.205.
enum DMSetup: ProgramByName {
    static var name: String { "dmsetup" }

    /// The version that `dmsetup version` reports, the newest whose behaviour this program has.
    static let version = "1.02.205 (2025-02-27)"

    static func run(_ arguments: [String]) -> CInt { run(arguments, prefix: nil) }

    /// Does what a command line says.
    ///
    /// - Parameter prefix: The command that the name of the program stands for, if it is that of a command.
    static func run(_ arguments: [String], prefix: String?) -> CInt {
        guard let directory = DMSetupEnvironment.directory else {
            DMSetupSession.complain("Invalid DM_DEV_DIR environment variable value.")
            return 1
        }
        let called = CommandLine.arguments.first ?? name
        var options: DMSetupOptions
        do throws(DMSetupOptions.Problem) {
            options = try DMSetupOptions(called, parsing: arguments)
        } catch {
            DMSetupSession.complain("\(error.message)\nCouldn't process command line.")
            return 1
        }
        if let prefix { options.put(prefix) }
        let session = DMSetupSession(options, directory)
        defer { session.flush() }
        do throws(DMSetupFailed) {
            return try run(session)
        } catch {
            return 1
        }
    }

    private static func run(_ session: DMSetupSession) throws(DMSetupFailed) -> CInt {
        let options = session.options
        if let problem = problem(with: options) {
            if !problem.isEmpty { DMSetupSession.complain(problem) }
            DMSetupSession.complain("Couldn't process command line.")
            return 1
        }
        if options.has("help") {
            DMSetupSession.complain(DMSetupHelp.text)
            return 0
        }
        var words = options.words[...]
        if options.has("version") { words = ["version"] }
        guard let called = words.popFirst() else {
            DMSetupSession.complain(DMSetupHelp.text)
            return 1
        }
        guard let command = DMSetupCommand.all.first(where: { $0.name == called }) else {
            DMSetupSession.complain("Unknown command.\n\(DMSetupHelp.text)")
            return 1
        }
        guard command.arguments.contains(words.count) else {
            DMSetupSession.complain("Incorrect number of arguments.\n\(DMSetupHelp.text)")
            return 1
        }
        return try run(command, Array(words), session)
    }

    /// Runs a command, and prints the rows that it collected for a report.
    private static func run(
        _ command: DMSetupCommand, _ words: [String], _ session: DMSetupSession
    ) throws(DMSetupFailed) -> CInt {
        if command.name == "mangle" { session.listMangling = .none }
        if let fields = session.reportFields(for: command) {
            guard let report = try DMReport.make(session, fields) else { return session.wantsFieldHelp ? 0 : 1 }
            session.report = report
            // dmsetup lists the devices for such columns before it lists them for the rows.
            if report.showsRelations, try session.devices().isEmpty { session.print("No devices found") }
        }
        do throws(DMSetupFailed) {
            try command.run(session, words)
            try session.waitForUdev()
            if session.conciseDevices > 0 { session.print("") }
            session.report?.finish(session)
            return 0
        } catch {
            session.report?.finish(session)
            if !error.isLast { DMSetupSession.complain("Command failed.") }
            throw error
        }
    }

    /// The message about options that do not go together; empty where it has been printed.
    private static func problem(with options: DMSetupOptions) -> String? {
        if let mode = options.text("mode"), CNumber.whole(mode, radix: 8) == nil {
            let rest = CNumber.leading(mode, radix: 8).rest
            return "Invalid argument for --mode: \(mode). \(rest == mode ? "" : rest)"
        }
        if let mode = options.text("manglename"), NameMangling(rawValue: mode) == nil {
            return "Unknown name mangling mode."
        }
        if options.has("major") != options.has("minor") {
            return "Please specify both major number and minor number."
        }
        if options.has("table"), options.has("notable") { return "--table and --notable are incompatible." }
        if options.has("addnodeonresume"), options.has("addnodeoncreate") {
            return "--addnodeonresume and --addnodeoncreate are incompatible."
        }
        return nameOptionProblem(options)
    }

    /// The message about a word of -o that is unknown, where -o does not name the columns of a report.
    private static func nameOptionProblem(_ options: DMSetupOptions) -> String? {
        guard let text = options.text("options"), !options.has("columns") else { return nil }
        if options.has("tree") {
            let words = text.split(separator: ",")
            let unknown = words.drop { DMSetupTree.options.contains(String($0)) }
            return unknown.isEmpty ? nil : "Tree options not recognised: \(unknown.joined(separator: ","))."
        }
        if ["splitname", "stats"].contains(options.words.first) { return nil }
        let unknown = text.split(separator: ",").drop { ["devno", "devname", "blkdevname"].contains($0) }
        return unknown.isEmpty ? nil : "Option not recognised: \(unknown.joined(separator: ","))."
    }
}
