internal import ArgumentParser
internal import LayerStore

/// The command `create`.
struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a layer, as a copy of another or with an empty file system.")

    @Argument(help: "The id of the new layer.")
    var id: String

    @Option(help: ArgumentHelp("The layer to copy. Without it the layer is empty.", valueName: "id"))
    var parent: String?

    @Option(help: "The size of the layer, at least its parent's; such as 20g.")
    var size: String?

    @OptionGroup var options: GlobalOptions

    func run() throws {
        var bytes: UInt64?
        if let size {
            bytes = ByteSize.parse(size)
            guard bytes != nil else {
                throw ValidationError("--size \(size) is no size; write a number with k, m, g or t behind it")
            }
        }
        let id = try LayerID(id)
        let parent = try parent.map { try LayerID($0) }
        let record = try options.openStore().create(id, parent: parent, size: bytes)
        try options.output.print(json: LayerJSON(id, record), text: nil)
    }
}
