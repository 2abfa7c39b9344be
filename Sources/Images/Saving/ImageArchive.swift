#if Images
public import LayerArchive
public import LayerStore

/// Writes images as an archive that other programs take.
public struct ImageArchive {
    /// The form of the archive.
    public enum Format: Sendable {
        /// The form of `docker save` since Docker 25: an OCI image layout with Docker's own `manifest.json`.
        ///
        /// Docker 1.10 and later, podman, skopeo and containerd take it.
        case docker
        /// An OCI image layout alone.
        case oci
    }

    /// The images of the archive, and those that are missing there.
    public struct Summary: Sendable {
        /// The images, in order, with the ids that they have in the archive.
        public internal(set) var images: [(name: String, id: ContentDigest, isChanged: Bool)] = []
        /// The images that could not be written, and why.
        public internal(set) var failures: [(name: String, reason: String)] = []
        /// The size of the archive in bytes.
        public internal(set) var size: Int64 = 0
    }

    private let store: LayerStore
    private let format: Format
    private let cancellation: Cancellation
    private let note: (String) -> Void

    /// Prepares to write.
    ///
    /// - Parameters:
    ///   - store: The store with the content of the layers.
    ///   - format: The form of the archive.
    ///   - cancellation: Asked for each mebibyte.
    ///   - note: Is told about differences from the request.
    public init(
        _ store: LayerStore, format: Format = .docker, cancellation: Cancellation = .never,
        note: @escaping (String) -> Void = { _ in }
    ) {
        self.store = store
        self.format = format
        self.cancellation = cancellation
        self.note = note
    }

    /// Writes images; each layer is in the archive once.
    ///
    /// An image that cannot be written leaves the others as they are; ``Summary/failures`` names it.
    ///
    /// - Throws: ``ImageError/Code/incomplete`` when no image could be written; `LayerArchiveError` when the output fails.
    public func write(_ images: [SavedImage], to output: any ArchiveOutput) throws -> Summary {
        let writer = TarWriter(output, cancellation: cancellation)
        for folder in ["blobs/", "blobs/sha256/"] {
            try writer.append(TarEntry(path: Array(folder.utf8), kind: .directory, permissions: 0o755))
        }
        var blobs = LayerBlobs(store, writer, cancellation, note: note)
        var summary = Summary()
        var listing = ArchiveListing()
        for image in images {
            do {
                try write(image, &blobs, &listing, &summary)
            } catch let error as LayerArchiveError where error.code == .output || error.code == .cancelled {
                throw error
            } catch {
                summary.failures.append((image.name, "\(error)"))
            }
        }
        guard !summary.images.isEmpty else {
            let reasons = summary.failures.map { "\($0.name): \($0.reason)" }.joined(separator: "; ")
            throw ImageError(.incomplete, "no image could be saved: \(reasons)")
        }
        for (name, content) in try listing.files(format) {
            var entry = TarEntry(path: Array(name.utf8), kind: .file, permissions: 0o644)
            entry.size = Int64(content.count)
            try writer.append(entry)
            try writer.write(content.span)
        }
        try writer.finish()
        summary.size = writer.offset
        return summary
    }

    private func write(
        _ image: SavedImage, _ blobs: inout LayerBlobs, _ listing: inout ArchiveListing, _ summary: inout Summary
    ) throws {
        var layers: [Blob] = []
        for source in image.sources { if let blob = try blobs.write(source) { layers.append(blob) } }
        let digests = layers.map(\.digest)
        var configuration = image.configuration
        if layers.count < image.sources.count { configuration = try configuration.sayingLastIsEmpty() }
        if digests != configuration.layers { configuration = try configuration.replacing(layers: digests) }
        let written = try blobs.write(configuration.content)
        let manifest = try blobs.write(ArchiveListing.manifest(written, layers))
        listing.add(image.tags, configuration, written, layers, manifest)
        summary.images.append((image.name, written.digest, written.digest != image.configuration.id))
    }
}
#endif
