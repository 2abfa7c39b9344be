#if Images
internal import LayerStore

/// An image that goes into an archive.
public struct SavedImage: Sendable {
    /// Where the archive of a layer comes from.
    enum Source: Hashable {
        /// Docker recorded it.
        case recorded(StoredLayer)
        /// It is what a layer of the store changed of another one.
        case changes(of: LayerID, against: LayerID)
    }

    /// The image's configuration; its layers are replaced where the archive gets others.
    var configuration: ImageConfiguration
    /// The layers, the lowest one first.
    var sources: [Source]
    /// The names with tags that the archive gives the image.
    public var tags: [String]
    /// How messages call the image.
    public let name: String

    /// An image of Docker's.
    ///
    /// - Parameters:
    ///   - image: The image.
    ///   - tags: Those of its names that the archive is to have; `nil` is all of them.
    /// - Throws: ``StoredImage/fault``.
    public init(_ image: StoredImage, tags: [String]? = nil) throws {
        if let fault = image.fault { throw fault }
        configuration = image.configuration
        sources = image.layers.map { .recorded($0) }
        self.tags = tags ?? image.tags
        name = self.tags.first ?? image.id.short
    }

    init(_ configuration: ImageConfiguration, _ sources: [Source], tags: [String], name: String) {
        self.configuration = configuration
        self.sources = sources
        self.tags = tags
        self.name = name
    }
}
#endif
