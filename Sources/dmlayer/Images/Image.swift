#if Images
internal import ArgumentParser
internal import Images

/// The command `image`.
struct Image: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image",
        abstract: "List and save the images of a root of Docker's.",
        discussion: """
            The images are those that Docker 1.10 and later kept beside the root of its driver, in image/devicemapper. \
            Nothing is written there. With --read-only nothing is written to the driver's root either.
            """,
        subcommands: [ImageList.self, ImageInspect.self, ImageSave.self])

    @OptionGroup var options: GlobalOptions
}

extension GlobalOptions {
    /// The images beside the root; says what could not be read.
    func images() throws -> ImageCatalog {
        let catalog = try ImageCatalog(besides: rootPath())
        for problem in catalog.problems { Output.note(problem) }
        return catalog
    }

    /// The containers beside the root; says what could not be read.
    func containers() throws -> ContainerCatalog {
        let catalog = try ContainerCatalog(besides: rootPath())
        for problem in catalog.problems { Output.note(problem) }
        return catalog
    }
}
#endif
