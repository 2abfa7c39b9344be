#if Images
internal import ArgumentParser
internal import Images

/// The command `image list`.
struct ImageList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the images, as “docker images” does.",
        discussion: "A message says what is missing of an image, which cannot be saved without it.")

    @Flag(help: "Show all images, also those without a name that others were built on.")
    var all = false

    @Flag(name: .shortAndLong, help: "Print only the ids.")
    var quiet = false

    @Flag(help: "Do not cut ids short.")
    var noTrunc = false

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let catalog = try options.images()
        let images = all ? catalog.images : catalog.shown
        for image in images {
            if let fault = image.fault { Output.note("image \(image.id.short) is not whole: \(fault)") }
        }
        try options.output.print(json: images.map(ImageJSON.init), text: text(images))
    }

    private func text(_ images: [StoredImage]) -> String? {
        guard !quiet else { return images.isEmpty ? nil : images.map { id(of: $0) }.joined(separator: "\n") }
        let rows = images.flatMap { image -> [[String]] in
            let names = image.tags.isEmpty ? [nil] : image.tags.map(Optional.some)
            return names.map { name in
                let parts = name.map { ImageReferences.parts(of: $0) }
                return [
                    parts?.repository ?? "<none>", parts?.tag ?? "<none>", id(of: image),
                    DockerText.age(of: image.configuration.created),
                    DockerText.size(image.size),
                ]
            }
        }
        return DockerText.table([["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]] + rows)
    }

    private func id(of image: StoredImage) -> String { noTrunc ? "\(image.id)" : image.id.short }
}

/// An image in JSON.
private struct ImageJSON: Encodable {
    let id: String
    let tags: [String]
    let digests: [String]
    let created: String
    let size: Int64
    let layers: [String]
    let fault: String?

    init(_ image: StoredImage) {
        id = "\(image.id)"
        tags = image.tags
        digests = image.manifestDigests
        created = image.configuration.created
        size = image.size
        layers = image.configuration.layers.map(\.description)
        fault = image.fault.map { "\($0)" }
    }
}
#endif
