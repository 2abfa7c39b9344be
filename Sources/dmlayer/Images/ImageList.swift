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

    @Flag(help: "Do not cut ids short.")
    var noTrunc = false

    @OptionGroup(title: "LISTING OPTIONS") var listing: ListingOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let view = try listing.view(Self.listing(isCut: !noTrunc), options.output)
        try listing.watch.run(options.output) { output in
            let catalog = try options.images()
            let images = all ? catalog.images : catalog.shown
            for image in images {
                if let fault = image.fault { Output.note("image \(image.id.short) is not whole: \(fault)") }
            }
            try view.print(images.flatMap(Entry.entries), to: output) { entries in
                var seen: Set<ContentDigest> = []
                return entries.map(\.image).filter { seen.insert($0.id).inserted }.map(ImageJSON.init)
            }
        }
    }

    private static func listing(isCut: Bool) -> Listing<Entry> {
        func id(_ entry: Entry) -> String { isCut ? entry.image.id.short : "\(entry.image.id)" }
        return Listing(
            fields: [
                ListingField(
                    "repository", "REPOSITORY", { ListingValue($0.repository) }, cell: { $0.repository ?? "<none>" }),
                ListingField("tag", "TAG", { ListingValue($0.tag) }, cell: { $0.tag ?? "<none>" }),
                ListingField("id", "IMAGE ID", { .text("\($0.image.id)") }, cell: id),
                ListingField(
                    "created", "CREATED", { ListingValue(created: $0.image.configuration.created) },
                    cell: { DockerText.age(of: $0.image.configuration.created) }),
                ListingField(
                    "size", "SIZE", { .bytes(UInt64(clamping: $0.image.size)) },
                    cell: { DockerText.size($0.image.size) }),
                ListingField("fault", "FAULT", isColumn: false) { ListingValue($0.image.fault.map { "\($0)" }) },
            ], key: id, table: DockerText.table)
    }

    /// One name of an image, or an image that has none: a line of the table.
    private struct Entry {
        let image: StoredImage
        let repository: String?
        let tag: String?

        static func entries(of image: StoredImage) -> [Entry] {
            guard !image.tags.isEmpty else { return [Entry(image: image, repository: nil, tag: nil)] }
            return image.tags.map { name in
                let parts = ImageReferences.parts(of: name)
                return Entry(image: image, repository: parts.repository, tag: parts.tag)
            }
        }
    }
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
