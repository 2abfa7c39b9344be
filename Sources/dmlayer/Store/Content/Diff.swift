internal import ArgumentParser
internal import SystemCalls
internal import LayerArchive
internal import LayerStore
internal import SystemPackage

/// The command `diff`.
struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Write what a layer changed of its parent as a tar archive.",
        discussion: """
            The archive is what Docker and OCI call a layer: a deleted file is an empty one whose name begins with .wh. \
            in it. All extended attributes are in it, and times to the nanosecond, but no sockets. If the parent is not \
            known, as of the layers that Docker made, the archive has all files. An archive cannot hold a file whose own \
            name begins with .wh., which would delete another one where it is unpacked; “dmlayer changes” lists such \
            files, and --skip-reserved leaves them out.
            """)

    @Argument(help: "The id of the layer.")
    var id: String

    @OptionGroup var parent: ParentOption

    @Option(
        help: ArgumentHelp(
            "Where the archive goes, instead of standard output. A file that is there is replaced when the archive is "
                + "complete.",
            valueName: "file"))
    var output: String?

    @Flag(help: "Lose what Docker loses: extended attributes but file capabilities, and fractions of seconds.")
    var docker = false

    @Flag(help: "Leave out files whose own names begin with .wh., instead of writing nothing.")
    var skipReserved = false

    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard output != nil || !options.output.isJSON else {
            throw ValidationError(
                "With --json the result is on standard output; name a file for the archive with --output.")
        }
        guard output != nil || isatty(STDOUT_FILENO) == 0 else {
            throw ValidationError("An archive is nothing for a terminal; name a file with --output, or use a pipe.")
        }
    }

    func run() throws {
        let (store, id, parent) = (try options.openStore(), try LayerID(id), try parent.id)
        let export = LayerExport(
            attributes: docker ? .docker : .all, reservedNames: skipReserved ? .leftOut : .refused)
        func write(to file: FileDescriptor) throws -> LayerExport.Summary {
            let summary = try store.exportChanges(of: id, against: parent, to: Progress.showing(file), export)
            let count = summary.reservedNames
            if count > 0 {
                Output.note("left out of the archive: \(count) file\(count == 1 ? "" : "s") with .wh. before a name")
            }
            return summary
        }
        guard let output else {
            _ = try write(to: .standardOutput)
            return
        }
        let summary = try OutputFile(FilePath(output)).write(write)
        try options.output.print(json: DiffJSON(id, summary), text: nil)
    }
}

/// The result of `diff --output` in JSON.
private struct DiffJSON: Encodable {
    let id: String
    let size: Int64
    let entries: Int
    let sockets: Int
    let reservedNames: Int

    init(_ id: LayerID, _ summary: LayerExport.Summary) {
        self.id = id.text
        size = summary.size
        entries = summary.entries
        sockets = summary.sockets
        reservedNames = summary.reservedNames
    }
}
