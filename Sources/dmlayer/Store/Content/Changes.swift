internal import ArgumentParser
internal import LayerArchive
internal import LayerStore
internal import SystemPackage

/// The command `changes`.
struct Changes: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "changes",
        abstract: "List what a layer changed of its parent.",
        discussion: """
            As “docker diff” does: A for what was added, C for what was changed or has a change within, D for what was \
            deleted. A name is printed byte for byte, as it is. With --json, the fields are those of Docker's API: Path \
            and Kind, which is 0 for a change, 1 for an addition and 2 for a deletion. If the parent is not known, as of \
            the layers that Docker made, everything was added.
            """)

    @Argument(help: "The id of the layer.")
    var id: String

    @OptionGroup var parent: ParentOption

    @Flag(help: "Print only how many bytes the files have that were added or changed.")
    var size = false

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let (store, id, parent) = (try options.openStore(), try LayerID(id), try parent.id)
        guard !size else {
            let size = try store.sizeOfChanges(of: id, against: parent)
            return try options.output.print(json: ["size": size], text: "\(size)")
        }
        let changes = try store.changes(of: id, against: parent)
        try options.output.printList(
            changes, json: { ChangeJSON(Path: $0.path.string, Kind: $0.kind.rawValue) }, line: \.line)
    }
}

/// A change in JSON, with Docker's names.
private struct ChangeJSON: Encodable {
    let Path: String
    let Kind: Int
}
