#if Images
internal import LayerStore

/// The files that say what is in an archive of images.
struct ArchiveListing {
    private static let manifestType = "application/vnd.oci.image.manifest.v1+json"

    private struct Image {
        let tags: [String]
        let configuration: ImageConfiguration
        let blob: Blob
        let layers: [Blob]
        let manifest: Blob
    }

    private var images: [Image] = []

    /// Adds an image whose parts are in the archive.
    mutating func add(
        _ tags: [String], _ configuration: ImageConfiguration, _ blob: Blob, _ layers: [Blob], _ manifest: Blob
    ) {
        images.append(Image(tags: tags, configuration: configuration, blob: blob, layers: layers, manifest: manifest))
    }

    /// The manifest of an image, by the OCI image specification.
    static func manifest(_ configuration: Blob, _ layers: [Blob]) throws -> [UInt8] {
        try StoreJSON.encode(
            JSON.object([
                "schemaVersion": .integer(2), "mediaType": .text(manifestType),
                "config": descriptor("application/vnd.oci.image.config.v1+json", configuration),
                "layers": .list(layers.map { descriptor("application/vnd.oci.image.layer.v1.tar", $0) }),
            ]))
    }

    /// The files, with their names.
    func files(_ format: ImageArchive.Format) throws -> [(name: String, content: [UInt8])] {
        var files = [
            ("oci-layout", try StoreJSON.encode(["imageLayoutVersion": "1.0.0"])),
            ("index.json", try StoreJSON.encode(index)),
        ]
        if format == .docker { files.append(("manifest.json", try StoreJSON.encode(dockerManifest))) }
        return files
    }

    private static func descriptor(_ type: String, _ blob: Blob) -> JSON {
        .object(["mediaType": .text(type), "digest": .text("\(blob.digest)"), "size": .integer(blob.size)])
    }

    /// An entry for each name of each image: a reader knows an image by the annotations.
    private var index: JSON {
        let manifests = images.flatMap { image -> [JSON] in
            var platform: [String: JSON] = [:]
            for key in ["architecture", "os", "variant"] { platform[key] = image.configuration.document[key] }
            let descriptor = Self.descriptor(Self.manifestType, image.manifest)
                .setting("platform", .object(platform))
            guard !image.tags.isEmpty else { return [descriptor] }
            return image.tags.map { tag in
                descriptor.setting(
                    "annotations",
                    .object([
                        "io.containerd.image.name": .text(ImageReferences.whole(tag)),
                        "org.opencontainers.image.ref.name": .text(ImageReferences.parts(of: tag).tag ?? tag),
                    ]))
            }
        }
        return .object([
            "schemaVersion": .integer(2), "mediaType": .text("application/vnd.oci.image.index.v1+json"),
            "manifests": .list(manifests),
        ])
    }

    private var dockerManifest: JSON {
        .list(
            images.map { image in
                .object([
                    "Config": .text(image.blob.path),
                    "RepoTags": image.tags.isEmpty ? .null : .list(image.tags.map { .text($0) }),
                    "Layers": .list(image.layers.map { .text($0.path) }),
                ])
            })
    }
}
#endif
