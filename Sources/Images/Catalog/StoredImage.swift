#if Images
public import LayerStore
public import SystemPackage

/// A layer of images in a root of Docker's.
public struct StoredLayer: Hashable, Sendable {
    /// The id of the chain of layers that ends with this one.
    public let chain: ContentDigest
    /// The digest of the layer's archive.
    public let digest: ContentDigest
    /// The layer of the store that has the content of the whole chain.
    public let content: LayerID
    /// The layer of the store below; `nil` of the lowest one.
    public let parent: LayerID?
    /// The size in bytes that Docker recorded: the sum of the sizes of the files in the archive.
    public let size: Int64
    /// The file with all bytes of the archive but those of its files.
    public let tarSplit: FilePath
}

/// An image in a root of Docker's.
public struct StoredImage: Hashable, Sendable {
    /// The id: the digest of the configuration.
    public let id: ContentDigest
    /// The configuration.
    public let configuration: ImageConfiguration
    /// The names with tags, such as `alpine:3.18`.
    public internal(set) var tags: [String] = []
    /// The names with digests of manifests, such as `alpine@sha256:…`.
    public internal(set) var manifestDigests: [String] = []
    /// The image that this one was built on, where it was built or committed here.
    public let parent: ContentDigest?
    /// When a name was last given to the image, in the form of RFC 3339.
    public let lastTagged: String?
    /// The layers that could be found, the lowest one first.
    public let layers: [StoredLayer]
    /// The reason why the image cannot be saved; `nil` for a whole image.
    public let fault: ImageError?

    /// The size in bytes that Docker shows: the sizes of all layers.
    public var size: Int64 {
        layers.reduce(0) { size, layer in
            let sum = size.addingReportingOverflow(layer.size)
            return sum.overflow ? .max : sum.partialValue
        }
    }
}
#endif
