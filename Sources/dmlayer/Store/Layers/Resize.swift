internal import ArgumentParser
internal import LayerStore

/// The command `resize`.
struct Resize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resize",
        abstract: "Make a layer, or the base device, larger.",
        discussion: """
            The layer may be mounted and in use; its file system grows with it. What is made from the base device later gets \
            its new size, and layers that exist keep theirs.
            """)

    @Argument(help: "The id of the layer, or base for the base device.")
    var id: String

    @Argument(help: "The new size, such as 20g.")
    var size: String

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let id = id == LayerID.base.text ? LayerID.base : try LayerID(id)
        let bytes = try SizeArgument.bytes(size, of: "SIZE")
        try options.openStore().resize(id, to: bytes)
        try options.output.print(
            json: JSONValue.object(["id": .text(id.text), "size": .number(bytes)]), text: nil)
    }
}
