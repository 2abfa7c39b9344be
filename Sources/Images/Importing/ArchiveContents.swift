#if Images
/// Finds the images of an archive.
struct ArchiveContents {
    private let files: any ArchiveFiles
    private let note: (String) -> Void

    init(_ files: any ArchiveFiles, note: @escaping (String) -> Void) {
        self.files = files
        self.note = note
    }

    /// The images, in the order of the archive.
    ///
    /// - Throws: ``ImageError`` if the archive has none, or one of them is not whole.
    func images() throws -> [ArchivedImage] {
        let images: [ArchivedImage]
        if try files.content("version") != nil, try files.content("oci-layout") == nil {
            throw ImageError(
                .damaged, "it has the form “dir” of skopeo and podman; copy it to the form oci: first, with skopeo copy"
            )
        }
        if let manifest = try document([DockerImage].self, "manifest.json") {
            images = try manifest.map(image)
        } else if let index = try document(Index.self, "index.json") {
            images = try self.images(of: index).map { try image($0) }
        } else if try files.content("repositories") != nil {
            throw ImageError(
                .damaged,
                "the archive has the form of Docker before 1.10; load it into a Docker from 1.10 to 20.10, and save it there again"
            )
        } else {
            throw ImageError(
                .noImages,
                "there are no images in it: it has neither manifest.json, as of “docker save”, nor index.json, as of OCI. "
                    + "Give one layer's archive to “dmlayer apply”")
        }
        guard !images.isEmpty else { throw ImageError(.noImages, "the list of images in it is empty") }
        return images
    }

    private func document<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value? {
        try files.readIfThere(name).map { try ImageFile.decode(type, $0, called: "\(name) in the archive") }
    }

    // MARK: Docker's form

    private struct DockerImage: Decodable {
        let Config: String
        let RepoTags: [String]?
        let Layers: [String]?
    }

    private func image(_ image: DockerImage) throws -> ArchivedImage {
        let content = try files.read(image.Config)
        let configuration = try ImageConfiguration(content, called: "\(image.Config) in the archive")
        // The name of the file is the id, in two forms.
        let name = (image.Config.split(separator: "/").last ?? "").split(separator: ".").first ?? ""
        if let id = ContentDigest(hexadecimal: String(name)), id != configuration.id {
            throw ImageError(.damaged, "\(image.Config) in the archive has the digest \(configuration.id.hexadecimal)")
        }
        let layers = (image.Layers ?? []).map { ArchivedImage.Layer(name: $0, blob: nil) }
        return try ArchivedImage(configuration, layers, names: image.RepoTags ?? [])
    }

    // MARK: The form of OCI

    private struct Index: Decodable {
        let manifests: [Descriptor]
    }

    private struct Manifest: Decodable {
        let config: Descriptor
        let layers: [Descriptor]
    }

    private struct Descriptor: Decodable {
        struct Platform: Decodable {
            let architecture: String?
            let os: String?
        }
        let mediaType: String?
        let digest: String
        let platform: Platform?
        let annotations: [String: String]?

        var isIndex: Bool { mediaType?.contains("index") == true || mediaType?.contains("manifest.list") == true }
        /// Statements about an image have the form of one.
        var isAttestation: Bool { annotations?["vnd.docker.reference.type"] != nil || platform?.os == "unknown" }

        /// The name of the image, from the annotations of containerd and of OCI.
        var name: String? {
            if let name = annotations?["io.containerd.image.name"] { return ImageReferences.familiar(name) }
            guard let name = annotations?["org.opencontainers.image.ref.name"] else { return nil }
            // This is the whole name for some programs, and the tag alone for others.
            return ImageReferences.parts(of: name).tag == nil ? nil : ImageReferences.familiar(name)
        }
    }

    private func content(_ descriptor: Descriptor) throws -> (digest: ContentDigest, content: [UInt8]) {
        let digest = try digest(descriptor)
        let content = try files.read(digest.blobPath)
        guard ContentDigest(of: content) == digest else {
            throw ImageError(.damaged, "\(digest.blobPath) in the archive has the digest \(ContentDigest(of: content))")
        }
        return (digest, content)
    }

    private func digest(_ descriptor: Descriptor) throws -> ContentDigest {
        guard let digest = ContentDigest(descriptor.digest) else {
            throw ImageError(.damaged, "“\(descriptor.digest.prefix(100))” in the archive is no digest by SHA-256")
        }
        return digest
    }

    /// The manifests of an index, of each list of platforms the one for this machine; each once, with all of its names.
    private func images(of index: Index) throws -> [(manifest: Descriptor, names: [String])] {
        var found: [(manifest: Descriptor, names: [String])] = []
        for descriptor in index.manifests where !descriptor.isAttestation {
            var manifest = descriptor
            var name = descriptor.name
            if descriptor.isIndex {
                let (digest, content) = try content(descriptor)
                let list = try ImageFile.decode(Index.self, content, called: "\(digest.blobPath) in the archive")
                manifest = try choice(of: list)
                name = name ?? manifest.name
            }
            if let place = found.firstIndex(where: { $0.manifest.digest == manifest.digest }) {
                found[place].names += name.map { [$0] } ?? []
            } else {
                found.append((manifest, name.map { [$0] } ?? []))
            }
        }
        return found
    }

    private func choice(of list: Index) throws -> Descriptor {
        let choices = list.manifests.filter { !$0.isAttestation && !$0.isIndex }
        let here = Machine.architecture
        if let own = choices.first(where: { $0.platform?.architecture == here && $0.platform?.os == "linux" }) {
            return own
        }
        guard !choices.isEmpty else { throw ImageError(.damaged, "a list of platforms in the archive names no image") }
        guard choices.count == 1 else {
            let platforms = choices.map { "\($0.platform?.os ?? "?")/\($0.platform?.architecture ?? "?")" }
            throw ImageError(
                .notFound,
                "the image is for \(platforms.joined(separator: ", ")), and not for linux/\(here); save it for one platform"
            )
        }
        return choices[0]
    }

    private func image(_ entry: (manifest: Descriptor, names: [String])) throws -> ArchivedImage {
        let (digest, content) = try content(entry.manifest)
        let manifest = try ImageFile.decode(Manifest.self, content, called: "\(digest.blobPath) in the archive")
        let configuration = try self.content(manifest.config)
        let layers = try manifest.layers.map { descriptor in
            let digest = try self.digest(descriptor)
            return ArchivedImage.Layer(name: digest.blobPath, blob: digest)
        }
        return try ArchivedImage(
            ImageConfiguration(configuration.content, called: "\(configuration.digest.blobPath) in the archive"),
            layers,
            names: entry.names)
    }
}
#endif
