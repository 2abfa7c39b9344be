#if Images
internal import LayerArchive
internal import LayerStore

/// Which layers of an image are there, and which have to be made.
struct LayerPlan {
    /// A layer that has to be made.
    struct Step {
        /// The archive of the layer in the archive of images.
        let source: ArchivedImage.Layer
        /// The digest that the layer's archive must have.
        let digest: ContentDigest
        let chain: ContentDigest
        /// The chain below.
        let below: ContentDigest?
        /// The layer of the store that gets the content.
        let content: LayerID
        /// The layer of the store below; `nil` of the lowest one.
        let parent: LayerID?
        /// Where it is in its image, counted from 1.
        let number: Int

        /// The layer as the journal has it.
        var entry: ImageJournal.Layer { .init(chain: "\(chain)", content: content.text) }

        /// An error in which the layer is named.
        func describing(_ error: any Error, in image: ArchivedImage) -> any Error {
            let cause = (error as? LayerStoreError)?.underlying as? LayerArchiveError
            guard cause?.code != .cancelled else { return error }
            let code = (error as? ImageError)?.code ?? .output
            return ImageError(
                code, "layer \(number) of \(image.layers.count) of image \(image.configuration.id.short): \(error)")
        }
    }

    /// The layers that have to be made, the lowest one first.
    let new: [Step]

    /// Looks for the layers of an image.
    ///
    /// - Throws: ``ImageError`` if a layer is there and damaged.
    init(_ image: ArchivedImage, _ files: ImageStoreFiles) throws {
        let catalog = LayerCatalog(files.folders)
        var new: [Step] = []
        var (below, parent): (ContentDigest?, LayerID?) = (nil, nil)
        for (index, digest) in image.configuration.layers.enumerated() {
            let chain = ContentDigest.chain(digest, on: below)
            let content: LayerID
            if try files.hasLayer(chain) {
                content = try catalog.layer(chain, digest, on: below).content
            } else {
                content = try LayerID(Self.randomName())
                new.append(
                    Step(
                        source: image.layers[index], digest: digest, chain: chain, below: below, content: content,
                        parent: parent, number: index + 1))
            }
            (below, parent) = (chain, content)
        }
        self.new = new
    }

    /// A name as Docker gives it to the contents of layers: 64 hexadecimal digits.
    private static func randomName() -> String {
        (0..<4).map { _ in
            let digits = String(UInt64.random(in: .min ... .max), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}
#endif
