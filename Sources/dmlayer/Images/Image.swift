#if Images
internal import ArgumentParser
internal import Images
internal import LayerStore

/// The command `image`.
struct Image: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image",
        abstract: "Import, list, save and remove images.",
        discussion: """
            The images of a root of Docker's are those that Docker 1.10 and later kept beside the root of its driver, in \
            image/devicemapper. A root of our own has its images in the folder images, in the same form.
            """,
        subcommands: [
            ImageImport.self, ImageList.self, ImageInspect.self, ImageSave.self, ImageRemove.self,
        ])

    @OptionGroup var options: GlobalOptions
}

extension GlobalOptions {
    /// The images of the root, to be changed.
    func imageStore() throws -> ImageStore {
        try ImageStore(openStore(), patience: patience?.duration ?? .seconds(30)) { Output.note($0) }
    }

    /// The topmost layer of an image; `nil` for an image that has no layers.
    func topLayer(of image: String) throws -> LayerID? {
        let stored = try images().image(image)
        if let fault = stored.fault { throw fault }
        return stored.layers.last?.content
    }

    /// The images of the root; says what could not be read.
    func images() throws -> ImageCatalog {
        let catalog = try ImageCatalog(of: rootPath())
        for problem in catalog.problems { Output.note(problem) }
        return catalog
    }

    /// The containers beside the root; says what could not be read.
    func containers() throws -> ContainerCatalog {
        let catalog = try ContainerCatalog(of: rootPath())
        for problem in catalog.problems { Output.note(problem) }
        return catalog
    }
}
#endif
