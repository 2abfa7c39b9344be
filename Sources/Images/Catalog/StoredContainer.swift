#if Images
internal import LayerStore
public import SystemPackage

/// A container of Docker's.
public struct StoredContainer: Sendable {
    /// Where a container has files of its host's.
    public struct Mount: Hashable, Sendable {
        /// The path in the container.
        public let destination: String
        /// The name of the volume, if it is one.
        public let volume: String?
        /// The folder on the host; of a local volume, the one beside the driver's root.
        public let source: FilePath
    }

    /// The id.
    public let id: ContentDigest
    /// All that Docker keeps of the container, `config.v2.json`.
    public let document: JSON

    /// The name without the slash that Docker puts before it.
    public var name: String { String((document["Name"]?.text ?? "").drop { $0 == "/" }) }
    /// The id of its image.
    public var image: ContentDigest? { document["Image"]?.text.flatMap { ContentDigest($0) } }
    /// The name of its image, as the container was made with it.
    public var imageName: String { document["Config"]?["Image"]?.text ?? image?.short ?? "" }
    /// When it was made, in the form of RFC 3339.
    public var created: String { document["Created"]?.text ?? "" }
    /// The program that it runs, with the arguments; those with a space are in single quotation marks.
    public var command: String {
        let arguments = (document["Args"]?.list ?? []).compactMap(\.text)
        return ([document["Path"]?.text ?? ""] + arguments.map { $0.contains(" ") ? "'\($0)'" : $0 })
            .joined(separator: " ")
    }
    /// The last state of its process that Docker recorded.
    public var state: State {
        let state = document["State"]
        return State(
            isRunning: state?["Running"] == .bool(true), exitCode: state?["ExitCode"].flatMap(Self.integer) ?? 0,
            started: state?["StartedAt"]?.text ?? "", finished: state?["FinishedAt"]?.text ?? "")
    }

    /// The last state of a container's process that Docker recorded.
    public struct State: Hashable, Sendable {
        /// Whether the process ran; it does not any more where Docker has been killed.
        public let isRunning: Bool
        /// The status that it ended with.
        public let exitCode: Int64
        /// When it began, in the form of RFC 3339; the year is 1 where it never did.
        public let started: String
        /// When it ended.
        public let finished: String
    }

    private static func integer(_ value: JSON) -> Int64? {
        guard case .integer(let number) = value else { return nil }
        return number
    }

    /// Its volumes and other folders of the host, in the order of their paths in the container.
    public func mounts(_ folders: ImageFolders) -> [Mount] {
        guard case .object(let points) = document["MountPoints"] else { return [] }
        return points.sorted { $0.key < $1.key }.map { destination, point in
            let volume = point["Name"]?.text.flatMap { $0.isEmpty ? nil : $0 }
            let isLocal = volume != nil && point["Driver"]?.text ?? "local" == "local"
            let source = isLocal ? folders.volume(volume ?? "") : FilePath(point["Source"]?.text ?? "")
            return Mount(destination: destination, volume: volume, source: source)
        }
    }

    /// The container as an image: what it changed of its image as one more layer, with its configuration.
    ///
    /// This is what `docker commit` makes.
    ///
    /// - Parameters:
    ///   - catalog: The images, with the container's own among them.
    ///   - tags: The names with tags that the image gets.
    /// - Throws: ``ImageError/Code/notFound`` without the container's image, ``ImageError/Code/incomplete`` without its
    ///   layers.
    public func image(in catalog: ImageCatalog, tags: [String]) throws -> SavedImage {
        guard let base = catalog.images.first(where: { $0.id == image }) else {
            throw ImageError(.notFound, "the image of container \(name), \(image?.description ?? "?"), is not there")
        }
        var saved = try SavedImage(base, tags: [])
        let (top, initial) = try layers(catalog.folders)
        saved.sources.append(.changes(of: top, against: initial))
        return SavedImage(try configuration(on: base), saved.sources, tags: tags, name: name)
    }

    /// The container's own layer, and the one with the files that Docker puts into each container.
    private func layers(_ folders: ImageFolders) throws -> (top: LayerID, initial: LayerID) {
        let folder = folders.mount(of: id)
        let top = try ImageFile.line(folder.appending("mount-id"))
        // Without such a layer, the container's own was made of the image's.
        let initial = try ImageFile.readIfThere(folder.appending("init-id")).map(ImageFile.text)
        if let initial { return (try LayerID(top), try LayerID(initial)) }
        guard let chain = ContentDigest(try ImageFile.line(folder.appending("parent"))) else {
            throw ImageError(.damaged, "\(folder)/parent names no layer")
        }
        return (try LayerID(top), try LayerCatalog(folders).content(of: chain))
    }

    private func configuration(on base: StoredImage) throws -> ImageConfiguration {
        let command = (document["Config"]?["Cmd"]?.list ?? []).compactMap(\.text).joined(separator: " ")
        let time = state.finished.hasPrefix("0001") ? created : state.finished
        var document = base.configuration.document
        let entry = JSON.object([
            "created": .text(time), "created_by": .text(command), "comment": .text("container \(name)"),
        ])
        let changes: [(String, JSON?)] = [
            ("config", self.document["Config"]), ("container_config", self.document["Config"]),
            ("container", .text(id.hexadecimal)), ("created", .text(time)),
            ("history", .list((document["history"]?.list ?? []) + [entry])),
        ]
        for (key, value) in changes { if let value { document = document.setting(key, value) } }
        return try ImageConfiguration(document)
    }
}
#endif
