internal import ArgumentParser
internal import SystemCalls
internal import LayerArchive
internal import LayerStore
internal import SystemPackage

/// The command `apply`.
struct Apply: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Unpack a layer's tar archive onto a layer.",
        discussion: """
            The archive is one of “dmlayer diff”, of “docker save” or of any tar, not compressed: the files of the layer \
            are replaced by those in it, and those that it says are deleted go. Everything is on the disk when the \
            command ends. When it fails, a part of the archive may have been unpacked.
            """)

    @Argument(help: "The id of the layer.")
    var id: String

    @Option(help: ArgumentHelp("Where the archive is, instead of standard input.", valueName: "file"))
    var input: String?

    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard input != nil || isatty(STDIN_FILENO) == 0 else {
            throw ValidationError("There is no archive on a terminal; name a file with --input, or use a pipe.")
        }
    }

    func run() throws {
        let (store, id) = (try options.openStore(), try LayerID(id))
        let summary: LayerExtraction.Summary
        if let input {
            let file: FileDescriptor
            do {
                file = try .open(FilePath(input), .readOnly, options: .closeOnExec)
            } catch {
                throw Failure("cannot open \(input): \(error)")
            }
            summary = try file.closeAfter { try store.apply(Progress.showing(file), to: id) }
        } else {
            summary = try store.apply(Progress.showing(.standardInput), to: id)
        }
        if summary.refusedAttributes > 0 {
            Output.note("the file system did not take \(summary.refusedAttributes) extended attributes")
        }
        if !summary.hasEndMark {
            Output.note(
                "the archive does not say where it ends; if it was cut off between two files, the rest is missing")
        }
        try options.output.print(json: ApplyJSON(id, summary), text: nil)
    }
}

private struct ApplyJSON: Encodable {
    let id: String
    let size: Int64
    let entries: Int
    let refusedAttributes: Int
    let hasEndMark: Bool

    init(_ id: LayerID, _ summary: LayerExtraction.Summary) {
        self.id = id.text
        size = summary.size
        entries = summary.entries
        refusedAttributes = summary.refusedAttributes
        hasEndMark = summary.hasEndMark
    }

    private enum CodingKeys: String, CodingKey {
        case id
        case size
        case entries
        case refusedAttributes = "refused_attributes"
        case hasEndMark = "has_end_mark"
    }
}
