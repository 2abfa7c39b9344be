#if Images
internal import LayerStore

/// The configuration of an image: a JSON document whose digest is the image's id.
///
/// Its fields are those of the OCI image specification, and some of Docker's own.
public struct ImageConfiguration: Hashable, Sendable {
    /// The document, byte for byte.
    public let content: [UInt8]
    /// The document, understood.
    public let document: JSON
    /// The digests of the layers' archives, the lowest layer first.
    public let layers: [ContentDigest]

    /// The id of the image.
    public var id: ContentDigest { ContentDigest(of: content) }
    /// The ids of the chains that end with each of the layers, the lowest layer first.
    var chains: [ContentDigest] {
        layers.reduce(into: []) { chains, layer in chains.append(.chain(layer, on: chains.last)) }
    }
    /// When the image was made, in the form of RFC 3339.
    public var created: String { document["created"]?.text ?? "" }

    /// Understands a configuration.
    ///
    /// - Parameters:
    ///   - content: The document.
    ///   - name: The name of the document in errors.
    init(_ content: [UInt8], called name: String) throws {
        try self.init(content, ImageFile.decode(JSON.self, content, called: name), called: name)
    }

    /// Makes a configuration from a document.
    init(_ document: JSON) throws {
        try self.init(StoreJSON.encode(document), document, called: "the configuration")
    }

    private init(_ content: [UInt8], _ document: JSON, called name: String) throws {
        self.content = content
        self.document = document
        guard let digests = document["rootfs"]?["diff_ids"]?.list else {
            throw ImageError(.damaged, "\(name) names no layers: it has no rootfs.diff_ids")
        }
        layers = try digests.map { digest in
            guard let digest = digest.text.flatMap({ ContentDigest($0) }) else {
                throw ImageError(.damaged, "\(name) has something else than digests in rootfs.diff_ids")
            }
            return digest
        }
    }

    /// The configuration whose history says of its last step that it made no layer.
    func sayingLastIsEmpty() throws -> ImageConfiguration {
        guard var history = document["history"]?.list, let last = history.popLast() else { return self }
        history.append(last.setting("empty_layer", .bool(true)))
        return try ImageConfiguration(document.setting("history", .list(history)))
    }

    /// The configuration with other layers.
    func replacing(layers: [ContentDigest]) throws -> ImageConfiguration {
        let rootfs = (document["rootfs"] ?? .object([:])).setting("diff_ids", .list(layers.map { .text("\($0)") }))
        return try ImageConfiguration(document.setting("rootfs", rootfs))
    }
}
#endif
