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

    #if Images
    @Option(help: ArgumentHelp("The image to copy, by its name or id, instead of a layer.", valueName: "name"))
    var image: String?
    #endif

    @Option(help: "The size of the layer, at least its parent's; such as 20g.")
    var size: String?

    @OptionGroup var options: GlobalOptions

    func validate() throws {
        #if Images
        guard parent == nil || image == nil else { throw ValidationError("Give --parent or --image, not both.") }
        #endif
    }

    func run() throws {
        let bytes = try size.map { try SizeArgument.bytes($0, of: "--size") }
        let id = try LayerID(id)
        let parent = try parent.map { try LayerID($0) } ?? layerOfImage()
        let record = try options.openStore().create(id, parent: parent, size: bytes)
        try options.output.print(json: LayerJSON(id, record), text: nil)
    }

    /// The topmost layer of the image; `nil` without one, and for an image that has no layers.
    private func layerOfImage() throws -> LayerID? {
        #if Images
        guard let image else { return nil }
        return try options.topLayer(of: image)
        #else
        return nil
        #endif
    }
}
