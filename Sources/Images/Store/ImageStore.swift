#if Images
public import LayerArchive
public import LayerStore
internal import SystemCalls
public import SystemPackage

/// Takes images into a store, and removes them.
///
/// The files have the form of Docker's own, so that ``ImageCatalog`` reads them, and a Docker of 1.10 to 24 that opens the root
/// does too. Docker must not run on the root meanwhile.
///
/// An image is there when its configuration is. A change that was cut off, by a crash or a failure of the power, is
/// completed or taken back by the next one.
public final class ImageStore {
    /// An image that was taken in.
    public struct Loaded: Hashable, Sendable {
        /// The id.
        public let id: ContentDigest
        /// The names with tags that it got.
        public let names: [String]
        /// How many layers the image has.
        public let layers: Int
        /// How many of them were not there before.
        public let newLayers: Int
    }

    /// The result of a removal.
    public struct Removed: Hashable, Sendable {
        /// The id of the image.
        public let id: ContentDigest
        /// The names with tags that are gone.
        public let names: [String]
        /// Whether the image itself is gone; it stays as long as it has a name.
        public let isGone: Bool
        /// How many layers are gone, because no other image has them.
        public let layers: Int
    }

    /// How far an import has come.
    public enum Progress: Hashable, Sendable {
        /// So many bytes of a stream, or of a compressed archive, have been copied to a file.
        case copied(bytes: Int64)
        /// A layer of an image is being unpacked; the first has the number 1.
        case layer(Int, of: Int, image: ContentDigest)
    }

    let store: LayerStore
    let files: ImageStoreFiles
    let cancellation: Cancellation
    let note: (String) -> Void
    private let lock: ImageLock

    /// Opens the images of a store, for as long as this exists; nobody else can change them meanwhile.
    ///
    /// - Parameters:
    ///   - store: The store.
    ///   - patience: How long to wait for another process that changes the images.
    ///   - cancellation: Asked for each mebibyte.
    ///   - note: Is told about differences from the request.
    /// - Throws: ``ImageError/Code/busy``; ``ImageError/Code/damaged`` where a change that was cut off can neither be
    ///   completed nor taken back.
    public init(
        _ store: LayerStore, patience: Duration = .seconds(30), cancellation: Cancellation = .never,
        note: @escaping (String) -> Void = { _ in }
    ) throws {
        guard store.access == .readWrite else {
            throw ImageError(
                .output, "the images cannot be changed where nothing may be written; leave --read-only out")
        }
        self.store = store
        self.cancellation = cancellation
        self.note = note
        files = try ImageStoreFiles(ImageFolders(of: store.root))
        lock = try ImageLock(files.lockFile, until: .after(patience))
        try recover()
    }

    /// The folder of the images.
    public var folder: FilePath { files.folders.images }

    // MARK: Images that are loaded

    /// Takes the images of an archive in.
    ///
    /// Each layer is taken once, however many images have it. An image that cannot be taken in leaves nothing behind; those
    /// before it in the archive stay.
    ///
    /// - Parameters:
    ///   - input: The archive.
    ///   - names: Names with tags for the only image of the archive, instead of its own.
    ///   - progress: Is told how far the import has come.
    ///   - loaded: Is told of each image that is there.
    /// - Throws: ``ImageError``.
    public func load(
        _ input: ImageInput, names: [String] = [], progress: (Progress) -> Void = { _ in },
        loaded: (Loaded) throws -> Void = { _ in }
    ) throws {
        let archive = try input.files(spool: folder, cancellation) { progress(.copied(bytes: $0)) }
        let images = try ArchiveContents(archive, note: note).images()
        guard names.isEmpty || images.count == 1 else {
            throw ImageError(
                .invalidName, "the archive has \(images.count) images; a name can be given to a single one")
        }
        for image in images {
            try loaded(load(image, from: archive, names: names.isEmpty ? ownNames(of: image) : names, progress))
        }
    }

    private func ownNames(of image: ArchivedImage) -> [String] {
        var names: [String] = []
        for name in image.names.map(ImageReferences.familiar) where !names.contains(name) {
            if ImageReferences.isTagged(name) {
                names.append(name)
            } else {
                note(
                    "the name \(LayerFile.printable(Array(name.utf8))) in the archive is no name of an image, and is left out"
                )
            }
        }
        return names
    }

    private func load(
        _ image: ArchivedImage, from archive: any ArchiveFiles, names: [String], _ progress: (Progress) -> Void
    ) throws -> Loaded {
        let id = image.configuration.id
        // A change of the names that must fail fails before anything has begun.
        try files.requireNames()
        if try files.hasImage(id), let known = try ImageCatalog(of: store.root).images.first(where: { $0.id == id }) {
            if let fault = known.fault {
                throw ImageError(
                    .damaged,
                    "image \(id.short) is there already, and not whole: \(fault). Remove it with "
                        + "“dmlayer image remove \(id.short)”, and import it again")
            }
            try files.addNames(names, to: id)
            return Loaded(id: id, names: names, layers: image.layers.count, newLayers: 0)
        }
        let plan = try LayerPlan(image, files)
        try files.begin(ImageJournal(.load, of: id, names: names, layers: plan.new.map(\.entry)))
        do {
            for step in plan.new {
                progress(.layer(step.number, of: image.layers.count, image: id))
                do {
                    try LayerIntake(self, archive).take(step)
                } catch {
                    throw step.describing(error, in: image)
                }
            }
            if let last = plan.new.last { try store.flush(last.content) }
            try files.add(image.configuration, names)
        } catch {
            // The first failure is reported. Changes that cannot be taken back now are taken back by the next change.
            try? recover()
            throw error
        }
        try files.end()
        return Loaded(id: id, names: names, layers: image.layers.count, newLayers: plan.new.count)
    }

    // MARK: Images that are removed

    /// Removes images, or names of them.
    ///
    /// A text with a name takes that name away, and the image with its last one. An id takes the image with all of its
    /// names. Layers that no other image has, and no container of Docker's, go with their image. Layers that were made from
    /// it stay what they are.
    ///
    /// - Parameter text: As of ``ImageCatalog/matches(_:)``; a name without a tag means the tag `latest`.
    /// - Throws: ``ImageError/Code/notFound``, ``ImageError/Code/ambiguous``; ``ImageError/Code/inUse`` where a container
    ///   of Docker's is made of it.
    public func remove(_ text: String) throws -> Removed {
        let catalog = try ImageCatalog(of: store.root)
        let match = try catalog.match(text)
        let id = match.image.id
        let left = match.image.tags.filter { !match.tags.contains($0) }
        guard match.tags.isEmpty || left.isEmpty else {
            try files.removeNames { name, _ in match.tags.contains(name) }
            return Removed(id: id, names: match.tags, isGone: false, layers: 0)
        }
        if let container = try files.containers().first(where: { $0.image == id }) {
            throw ImageError(
                .inUse,
                "container \(container.name) is made of image \(id.short); remove the container with Docker first")
        }
        try files.requireNames()
        let needed = try files.neededLayers(except: id)
        if !needed.isCertain {
            note(
                "its layers stay, because some images cannot be read, and may have them: \(catalog.problems.first ?? "")"
            )
        }
        let chains = needed.isCertain ? match.image.configuration.chains.filter { !needed.chains.contains($0) } : []
        let layers = try files.entries(of: chains)
        try files.begin(ImageJournal(.remove, of: id, layers: layers))
        try recover()
        return Removed(id: id, names: match.image.tags, isGone: true, layers: layers.count)
    }

    // MARK: Changes that were cut off

    /// Completes or takes back the change that the journal tells of.
    private func recover() throws {
        guard let journal = try files.journal() else { return }
        guard let id = ContentDigest(journal.image) else { throw files.journalDamage("“\(journal.image)” is no id") }
        switch journal.change {
        case .load where try files.hasImage(id):
            try files.addNames(journal.names, to: id)
        case .load:
            try removeLayers(of: journal)
        case .remove:
            try files.removeNames { _, image in image == journal.image }
            try files.removeImage(id)
            try removeLayers(of: journal)
        }
        try files.end()
    }

    private func removeLayers(of journal: ImageJournal) throws {
        let needed = try files.neededLayers(except: nil).chains
        for layer in journal.layers.reversed() {
            guard let chain = ContentDigest(layer.chain) else { throw files.journalDamage("“\(layer.chain)” is no id") }
            // Docker may have opened the root after the crash, and have found the layer.
            guard !needed.contains(chain) else { continue }
            let content = try layer.content.map { try LayerID($0) }
            try files.removeLayer(chain, with: content)
            if let content { try store.remove(content) }
        }
        try files.synchronize()
    }
}
#endif
