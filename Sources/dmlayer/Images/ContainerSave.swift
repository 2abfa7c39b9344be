#if Images
internal import ArgumentParser
internal import Images

/// The command `container save`.
struct ContainerSave: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "save",
        abstract: "Write containers as images into one archive, which “docker load” and others take.",
        discussion: """
            A container becomes what “docker commit” would have made of it: its image, and what the container changed as \
            one more layer, with the container's configuration. The files in volumes are not part of it; messages say where \
            the volumes are.
            """)

    @Argument(help: "The containers: names, ids or the beginnings of ids.")
    var containers: [String] = []

    @Flag(help: "Save all containers.")
    var all = false

    @Option(help: ArgumentHelp("A name with a tag for the image; for one container only.", valueName: "name:tag"))
    var tag: String?

    @OptionGroup var archive: ArchiveOptions
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard all != !containers.isEmpty else { throw ValidationError("Name containers, or give --all.") }
        guard tag == nil || containers.count == 1 else {
            throw ValidationError("--tag names one image; give one container with it.")
        }
        if let tag, !ImageReferences.isTagged(tag) {
            throw ValidationError(
                "“\(tag)” is no name of an image: it has lower-case letters, digits and . _ - /, and a tag.")
        }
        try archive.validate(options)
    }

    func run() throws {
        let (images, catalog) = (try options.images(), try options.containers())
        let chosen = try all ? catalog.containers : containers.map { try catalog.container($0) }
        var failures: [(name: String, reason: String)] = []
        var saved: [SavedImage] = []
        for container in chosen {
            // With a name of its own, each image can be found where it is loaded.
            let name = tag ?? "container/\(DockerText.imageName(container.name)):latest"
            do {
                saved.append(try container.image(in: images, tags: [name]))
            } catch {
                failures.append((container.name, "\(error)"))
            }
            for mount in container.mounts(images.folders) {
                let kind = mount.volume.map { "the volume \($0)" } ?? "a folder of the host"
                Output.note(
                    "\(container.name) has \(kind) at \(mount.destination), which is not saved: \(mount.source)")
            }
        }
        try archive.write(saved, failures, options)
    }
}
#endif
