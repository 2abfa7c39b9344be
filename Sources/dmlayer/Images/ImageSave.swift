#if Images
internal import ArgumentParser
internal import SystemCalls
internal import Images
internal import LayerStore
internal import SystemPackage

/// The command `image save`.
struct ImageSave: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "save",
        abstract: "Write images as one archive, which “docker load” and others take.",
        discussion: """
            The archive has the images with their names, ids and histories. Each layer is in it once, byte for byte as it \
            was when Docker took it in. A layer that has changed since is saved as it is now, which a message says: it \
            gets another digest, and its images get other ids.
            """)

    @Argument(help: "The images: a name with a tag, a name for all of its tags, an id or the beginning of one.")
    var images: [String] = []

    @Flag(help: "Save all images that “dmlayer image list” shows.")
    var all = false

    @OptionGroup var archive: ArchiveOptions
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard all != !images.isEmpty else { throw ValidationError("Name images, or give --all.") }
        try archive.validate(options)
    }

    func run() throws {
        let catalog = try options.images()
        var failures: [(name: String, reason: String)] = []
        var saved: [SavedImage] = []
        let matches =
            all
            ? catalog.shown.map { ImageCatalog.Match(image: $0, tags: $0.tags) }
            : try images.flatMap { try catalog.matches($0) }
        for match in ImageCatalog.merged(matches) {
            do {
                saved.append(try SavedImage(match.image, tags: match.tags))
            } catch {
                failures.append((match.tags.first ?? match.image.id.short, "\(error)"))
            }
        }
        try archive.write(saved, failures, options)
    }
}

/// Where an archive of images goes, and its form.
struct ArchiveOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Where the archive goes, instead of standard output. A file that is there is replaced when the archive is "
                + "complete.", valueName: "file"))
    var output: String?

    @Option(
        help: ArgumentHelp(
            "docker: an OCI image layout with Docker's own list of images, for all programs; oci: without that list.",
            valueName: "form"))
    var format = Form.docker

    /// The forms of an archive, by the words of the command line.
    enum Form: String, ExpressibleByArgument, CaseIterable {
        case docker, oci

        fileprivate var format: ImageArchive.Format {
            switch self {
            case .docker: .docker
            case .oci: .oci
            }
        }
    }

    func validate(_ options: GlobalOptions) throws {
        guard output != nil || !options.output.isJSON else {
            throw ValidationError(
                "With --json the result is on standard output; name a file for the archive with --output.")
        }
        guard output != nil || isatty(STDOUT_FILENO) == 0 else {
            throw ValidationError("An archive is nothing for a terminal; name a file with --output, or use a pipe.")
        }
    }

    /// Runs `body`, and takes the pool of a root that is only read down again, unless it was active before.
    private func leavingAsFound<Result>(
        _ store: LayerStore, _ options: GlobalOptions, _ body: () throws -> Result
    ) throws -> Result {
        let wasActive = try store.isPoolActive()
        defer {
            if options.isReadOnly, !wasActive {
                do {
                    try store.shutdown()
                } catch {
                    Output.note("the pool stays active until “dmlayer --read-only shutdown”: \(error)")
                }
            }
        }
        return try body()
    }

    /// Writes the images, and says what could not be written.
    ///
    /// - Parameter failures: The images that are known to be incomplete.
    /// - Throws: `ExitCode.failure` when an image is missing in the archive.
    func write(_ images: [SavedImage], _ failures: [(name: String, reason: String)], _ options: GlobalOptions) throws {
        guard !images.isEmpty || failures.isEmpty else {
            let reasons = failures.map { "\($0.name): \($0.reason)" }.joined(separator: "; ")
            throw Failure("no image can be saved: \(reasons)")
        }
        let store = try options.openStore()
        let archive = ImageArchive(store, format: format.format) { Output.note($0) }
        func write(to file: FileDescriptor) throws -> ImageArchive.Summary {
            try archive.write(images, to: Progress.showing(file))
        }
        let summary = try leavingAsFound(store, options) {
            guard let output else { return try write(to: .standardOutput) }
            return try OutputFile(FilePath(output)).write(write)
        }
        let missing = summary.failures + failures
        if output != nil { try options.output.print(json: SummaryJSON(summary, missing), text: nil) }
        for failure in missing {
            Output.error("\(failure.name) is not in the archive: \(failure.reason)")
        }
        guard missing.isEmpty else { throw ExitCode.failure }
    }
}

/// The summary of the archive in JSON.
private struct SummaryJSON: Encodable {
    struct Image: Encodable {
        let name: String
        let id: String
        let changed: Bool
    }
    struct Missing: Encodable {
        let name: String
        let reason: String
    }

    let images: [Image]
    let missing: [Missing]
    let size: Int64

    init(_ summary: ImageArchive.Summary, _ failures: [(name: String, reason: String)]) {
        images = summary.images.map { Image(name: $0.name, id: "\($0.id)", changed: $0.isChanged) }
        missing = failures.map { Missing(name: $0.name, reason: $0.reason) }
        size = summary.size
    }
}
#endif
