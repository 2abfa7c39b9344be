#if Images
internal import ArgumentParser
internal import Images
internal import LayerStore

/// The command `image inspect`.
struct ImageInspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Print all that is known about images, as “docker inspect” does.",
        discussion: "The result is JSON in any case, with Docker's names.")

    @Argument(help: "The images: names, ids or the beginnings of ids.")
    var images: [String]

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let catalog = try options.images()
        let found = try images.map { try catalog.image($0) }
        // Without the store, an image is shown without its device.
        let store = try? options.openStore()
        try Output(isJSON: true).print(json: found.map { document(of: $0, store) }, text: nil)
    }

    private func document(of image: StoredImage, _ store: LayerStore?) -> JSON {
        let document = image.configuration.document
        func text(_ key: String) -> JSON { document[key] ?? .text("") }
        let size = JSON.integer(image.size)
        var result: [String: JSON] = [
            "Id": .text("\(image.id)"), "RepoTags": .list(image.tags.map { .text($0) }),
            "RepoDigests": .list(image.manifestDigests.map { .text($0) }),
            "Parent": .text(image.parent?.description ?? ""),
            "Comment": document["history"]?.list?.last?["comment"] ?? text("comment"), "Created": text("created"),
            "Container": text("container"), "ContainerConfig": document["container_config"] ?? .null,
            "DockerVersion": text("docker_version"), "Author": text("author"), "Config": document["config"] ?? .null,
            "Architecture": text("architecture"), "Os": text("os"), "Size": size, "VirtualSize": size,
            "RootFS": .object([
                "Type": .text("layers"), "Layers": .list(image.configuration.layers.map { .text("\($0)") }),
            ]),
            "Metadata": .object(["LastTagTime": .text(image.lastTagged ?? "0001-01-01T00:00:00Z")]),
        ]
        result["Variant"] = document["variant"]
        // The layer of an image that is not whole may have no device.
        if let layer = image.layers.last, let details = try? store?.details(of: layer.content) {
            result["GraphDriver"] = .object([
                "Name": .text("devicemapper"),
                "Data": .object([
                    "DeviceId": .text("\(details.record.deviceID)"), "DeviceName": .text(details.deviceName),
                    "DeviceSize": .text("\(details.record.size)"),
                ]),
            ])
        }
        return .object(result)
    }
}
#endif
