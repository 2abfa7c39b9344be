#if Images
internal import ArgumentParser
internal import Images

/// The command `image remove`.
struct ImageRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove images, or names of them.",
        discussion: """
            A name goes alone as long as the image has another one; the image goes with its last name, and an id takes it \
            with all of its names. Layers that no other image has go with it. Layers that were made from it with “dmlayer \
            create” stay as they are.
            """)

    @Argument(help: "The images: names, ids or the beginnings of ids.")
    var images: [String]

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let store = try options.imageStore()
        for text in images {
            let removed = try store.remove(text)
            try options.output.printLine(json: RemovedJSON(removed), text: self.text(removed))
        }
    }

    private func text(_ removed: ImageStore.Removed) -> String {
        let names = removed.names.map { "\($0)  \(removed.id.short)  name removed" }
        let layers = "\(removed.layers) \(removed.layers == 1 ? "layer" : "layers")"
        let image = removed.isGone ? ["\(removed.id.short)  image removed, with \(layers)"] : []
        return (names + image).joined(separator: "\n")
    }
}

/// The result of a removal in JSON.
private struct RemovedJSON: Encodable {
    let id: String
    let names: [String]
    let gone: Bool
    let layers: Int

    init(_ removed: ImageStore.Removed) {
        id = "\(removed.id)"
        names = removed.names
        gone = removed.isGone
        layers = removed.layers
    }
}
#endif
