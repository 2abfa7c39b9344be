internal import ArgumentParser
internal import Glibc
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
            known, as of the layers that Docker made, the archive has all files.
            """)

    @Argument(help: "The id of the layer.")
    var id: String

    @OptionGroup var parent: ParentOption

    @Option(help: ArgumentHelp("Where the archive goes, instead of standard output.", valueName: "file"))
    var output: String?

    @Flag(help: "Lose what Docker loses: extended attributes but file capabilities, and fractions of seconds.")
    var docker = false

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
        let export = LayerExport(attributes: docker ? .docker : .all)
        guard let output else {
            try store.exportChanges(of: id, against: parent, to: Progress.showing(.standardOutput), export)
            return
        }
        let file: FileDescriptor
        do {
            file = try .open(
                FilePath(output), .writeOnly, options: [.create, .truncate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
        } catch {
            throw Failure("cannot open \(output): \(error)")
        }
        let summary = try file.closeAfter {
            try store.exportChanges(of: id, against: parent, to: Progress.showing(file), export)
        }
        try options.output.print(json: DiffJSON(id, summary), text: nil)
    }
}

/// What `diff --output` says of the archive in JSON.
private struct DiffJSON: Encodable {
    let id: String
    let size: Int64
    let entries: Int
    let sockets: Int

    init(_ id: LayerID, _ summary: LayerExport.Summary) {
        self.id = id.text
        size = summary.size
        entries = summary.entries
        sockets = summary.sockets
    }
}
