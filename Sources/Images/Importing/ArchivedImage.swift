#if Images
/// An image as an archive or a layout has it.
struct ArchivedImage {
    /// A layer's archive in the archive of images.
    struct Layer {
        /// The name of its file.
        let name: String
        /// The digest of the file as it is there; `nil` where only the digest of the layer is known.
        let blob: ContentDigest?
    }

    let configuration: ImageConfiguration
    /// The layers, the lowest one first.
    let layers: [Layer]
    /// The names with tags.
    let names: [String]

    /// The most layers that an image may have; Docker takes 127.
    private static let mostLayers = 500

    /// Puts the parts together.
    ///
    /// - Throws: ``ImageError`` if they do not fit each other, or this system cannot run such images.
    init(_ configuration: ImageConfiguration, _ layers: [Layer], names: [String]) throws {
        let id = configuration.id.short
        guard layers.count <= Self.mostLayers else {
            throw ImageError(.damaged, "image \(id) has \(layers.count) layers; at most \(Self.mostLayers) are taken")
        }
        guard layers.count == configuration.layers.count else {
            throw ImageError(
                .damaged,
                "image \(id) has \(layers.count) layers in the archive, and \(configuration.layers.count) by its "
                    + "configuration")
        }
        if let system = configuration.document["os"]?.text, system != "linux", !system.isEmpty {
            throw ImageError(.damaged, "image \(id) is for \(system); only images for linux can be layers here")
        }
        self.configuration = configuration
        self.layers = layers
        self.names = names
    }
}
#endif
