#if Images
internal import ArgumentParser
internal import Images
internal import LayerStore
internal import SystemCalls
internal import SystemPackage

/// The command `image import`.
struct ImageImport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Take images from archives or OCI image layouts into the store.",
        discussion: """
            The archives are those of “docker save”, “podman save”, “skopeo copy”, “ctr images export” and “dmlayer image \
            save”, plain or compressed with gzip or Zstandard. Every digest is verified. A layer that the store has \
            already costs nothing. An image that cannot be taken in leaves nothing behind.

            A container's layer is made of an image with “dmlayer create ID --image NAME”.
            """)

    @Argument(
        help: ArgumentHelp("Archives, folders of OCI image layouts, or - for standard input.", valueName: "file"))
    var inputs: [String]

    @Option(
        help: ArgumentHelp(
            "A name for the image, instead of those in the archive, which must have a single one; may be repeated.",
            valueName: "name:tag"))
    var name: [String] = []

    @OptionGroup var options: GlobalOptions

    func validate() throws {
        for name in name where !ImageReferences.isTagged(name) {
            throw ValidationError(
                "“\(name)” is no name of an image: it has lower-case letters, digits and . _ - /, and a tag.")
        }
        guard name.isEmpty || inputs.count == 1 else {
            throw ValidationError("--name names one image; give one file with it.")
        }
        guard !inputs.contains("-") || isatty(STDIN_FILENO) == 0 else {
            throw ValidationError("There is no archive on a terminal; name a file, or use a pipe.")
        }
    }

    func run() throws {
        let images = try options.imageStore()
        let line = ProgressLine()
        defer { line.clear() }
        for path in inputs {
            let input = path == "-" ? ImageInput(.standardInput) : try ImageInput(FilePath(path))
            do {
                try images.load(input, names: name, progress: line.show) { image in
                    line.clear()
                    try options.output.printLine(json: LoadedJSON(image), text: text(image))
                }
            } catch {
                throw Failure("\(path == "-" ? "standard input" : path): \(error)")
            }
        }
    }

    private func text(_ image: ImageStore.Loaded) -> String {
        let layers = "\(image.layers) \(image.layers == 1 ? "layer" : "layers"), \(image.newLayers) new"
        return (image.names.isEmpty ? ["<none>"] : image.names).map { "\($0)  \(image.id.short)  \(layers)" }
            .joined(separator: "\n")
    }
}

/// An image that was taken in, in JSON.
private struct LoadedJSON: Encodable {
    let id: String
    let names: [String]
    let layers: Int
    let newLayers: Int

    init(_ image: ImageStore.Loaded) {
        id = "\(image.id)"
        names = image.names
        layers = image.layers
        newLayers = image.newLayers
    }

    private enum CodingKeys: String, CodingKey {
        case id, names, layers
        case newLayers = "new_layers"
    }
}
#endif
