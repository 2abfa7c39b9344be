#if Images
internal import BlockDevices
internal import LayerStore
internal import SystemCalls
internal import SystemPackage

/// The files of the images of a root, written so that a crash leaves each one whole.
struct ImageStoreFiles {
    let folders: ImageFolders
    private let images: DurableDirectory
    private let configurations: DurableDirectory

    /// Opens the folders, and makes those that are missing.
    init(_ folders: ImageFolders) throws {
        self.folders = folders
        for path in [folders.configurations, folders.metadata, folders.layers, folders.work] {
            try DurableDirectory.make(path)
        }
        images = try DurableDirectory(folders.images)
        configurations = try DurableDirectory(folders.configurations)
    }

    /// The file whose lock a process has while it changes the images.
    var lockFile: FilePath { folders.images.appending("dmlayer-lock") }

    // MARK: The change under way

    /// Makes a change known, durably, before its first step.
    func begin(_ journal: ImageJournal) throws {
        try images.write(ImageJournal.name, StoreJSON.encode(journal))
    }

    /// The change that was begun last, if it has not ended.
    func journal() throws -> ImageJournal? {
        try images.read(ImageJournal.name).map { content in
            do {
                return try StoreJSON.decode(ImageJournal.self, content)
            } catch {
                throw journalDamage(StoreJSON.explain(error, content))
            }
        }
    }

    /// Writes all files of the images to the disk.
    func synchronize() throws { try images.synchronizeFilesystem() }

    /// Ends the change, all of which is on the disk.
    func end() throws {
        try images.remove(ImageJournal.name)
        try images.synchronize()
    }

    func journalDamage(_ reason: String) -> ImageError {
        ImageError(
            .damaged,
            "\(folders.images.appending(ImageJournal.name)), which tells of a change of the images that was cut off, cannot "
                + "be understood: \(reason)")
    }

    // MARK: Names

    /// Gives names to an image.
    func addNames(_ names: [String], to image: ContentDigest) throws {
        guard !names.isEmpty else { return }
        try changeNames { all in for name in names { all.add(name, to: image) } }
    }

    /// Takes names away.
    func removeNames(_ isRemoved: (_ name: String, _ image: String) -> Bool) throws {
        try changeNames { $0.remove(isRemoved) }
    }

    /// Makes sure that the names can be read, and so be changed.
    func requireNames() throws { _ = try names() }

    private func names() throws -> JSON? {
        try ImageFile.readIfThere(folders.names).map {
            try ImageFile.decode(JSON.self, $0, called: "\(folders.names)")
        }
    }

    private func changeNames(_ change: (inout ImageNames) -> Void) throws {
        let document = try names()
        var names = ImageNames(document)
        change(&names)
        guard names.content != document, let file = folders.names.lastComponent else { return }
        try images.write(file.string, StoreJSON.encode(names.content))
    }

    // MARK: Images

    /// Whether there is an image.
    func hasImage(_ id: ContentDigest) throws -> Bool { try configurations.read(id.hexadecimal) != nil }

    /// Adds an image, whose layers are there.
    func add(_ configuration: ImageConfiguration, _ names: [String]) throws {
        // The files of the layers were not written durably.
        try synchronize()
        try configurations.write(configuration.id.hexadecimal, configuration.content)
        try addNames(names, to: configuration.id)
    }

    /// Removes an image; its layers stay.
    func removeImage(_ id: ContentDigest) throws {
        if try configurations.remove(id.hexadecimal) { try configurations.synchronize() }
        try removeFolder(folders.metadata(of: id))
    }

    /// The containers of Docker's that have layers in the root.
    func containers() throws -> [StoredContainer] {
        guard folders.areDockers, try exists(folders.containers) else { return [] }
        let catalog = try ContainerCatalog(of: folders.root)
        guard let problem = catalog.problems.first else { return catalog.containers }
        throw ImageError(.damaged, "nobody knows whether a container needs the image: \(problem)")
    }

    /// The layers that images and the containers of Docker's have.
    ///
    /// - Parameter id: An image that does not count.
    /// - Returns: The ids of their chains, and whether all images could be read.
    func neededLayers(except id: ContentDigest?) throws -> (chains: Set<ContentDigest>, isCertain: Bool) {
        var (chains, isCertain): (Set<ContentDigest>, Bool) = ([], true)
        for name in try names(in: folders.configurations) where name.string != id?.hexadecimal {
            do {
                let path = folders.configurations.appending(name)
                chains.formUnion(try ImageConfiguration(ImageFile.read(path), called: "\(path)").chains)
            } catch {
                // The image itself is reported by each listing.
                isCertain = false
            }
        }
        for name in try names(in: folders.mounts) {
            let parent = try ImageFile.readIfThere(folders.mounts.appending(name).appending("parent"))
            if let chain = parent.flatMap({ ContentDigest(ImageFile.text($0)) }) { chains.insert(chain) }
        }
        return (try withAncestors(chains), isCertain)
    }

    /// Some chains, and all chains below them, as the layers tell; each layer is read once.
    private func withAncestors(_ chains: Set<ContentDigest>) throws -> Set<ContentDigest> {
        var found: Set<ContentDigest> = []
        for chain in chains {
            var next: ContentDigest? = chain
            while let chain = next, found.insert(chain).inserted {
                let parent = try ImageFile.readIfThere(folders.layer(chain).appending("parent"))
                next = parent.flatMap { ContentDigest(ImageFile.text($0)) }
            }
        }
        return found
    }

    // MARK: Layers

    /// Whether there is a layer of images.
    func hasLayer(_ chain: ContentDigest) throws -> Bool { try exists(folders.layer(chain)) }

    /// Those of the chains that end with a layer that is there, with the layers' contents, for the journal.
    func entries(of chains: [ContentDigest]) throws -> [ImageJournal.Layer] {
        let catalog = LayerCatalog(folders)
        return try chains.filter(hasLayer).map { chain in
            // A layer whose content is not known is damaged; its folder must go, so that an import can make it again.
            ImageJournal.Layer(chain: "\(chain)", content: try? catalog.content(of: chain).text)
        }
    }

    /// The folder in which the files of a new layer are written.
    func workFolder(of content: LayerID) -> FilePath { folders.work.appending("write-set-\(content.text)") }

    /// Makes a layer known whose files are written; durable after ``add(_:_:)``.
    func addLayer(_ chain: ContentDigest, with content: LayerID) throws {
        let (from, to) = (workFolder(of: content), folders.layer(chain))
        do throws(Errno) {
            try systemCall { unsafe rename(from.string, to.string) }
        } catch {
            throw ImageError(.output, "cannot rename \(from) to \(to): \(error)")
        }
    }

    /// Removes the files of a layer with a content, complete or not; `nil` stands for a content that is not known.
    func removeLayer(_ chain: ContentDigest, with content: LayerID?) throws {
        if let content { try removeFolder(workFolder(of: content)) }
        let folder = folders.layer(chain)
        // Another content has come by another way.
        let found = try ImageFile.readIfThere(folder.appending("cache-id")).map(ImageFile.text)
        // A crash can leave the file without its text, and no text is no id.
        if let found, found != content?.text, (try? LayerID(found)) != nil { return }
        try removeFolder(folder)
    }

    private func removeFolder(_ path: FilePath) throws {
        do {
            for name in try names(in: path) {
                try systemCall { unsafe unlink(path.appending(name).string) }
            }
            try systemCall { unsafe rmdir(path.string) }
        } catch Errno.noSuchFileOrDirectory {
            return
        } catch let error as Errno {
            throw ImageError(.output, "cannot remove \(path): \(error)")
        }
    }

    private func names(in folder: FilePath) throws -> [FilePath.Component] {
        do {
            return try DirectoryListing.names(in: folder)
        } catch .noSuchFileOrDirectory {
            return []
        } catch {
            throw ImageError(.damaged, "cannot read \(folder): \(error)")
        }
    }

    private func exists(_ path: FilePath) throws -> Bool {
        do {
            _ = try Stat(path)
            return true
        } catch Errno.noSuchFileOrDirectory {
            return false
        } catch {
            throw ImageError(.damaged, "cannot examine \(path): \(error)")
        }
    }
}
#endif
