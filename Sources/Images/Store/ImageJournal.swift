#if Images
internal import LayerStore

/// A change of the images that has begun: with it, the next change completes or takes back what a crash has left.
struct ImageJournal: Codable {
    /// The name of the file in the folder of the images.
    static let name = "dmlayer-change.json"

    /// The kind of the change.
    enum Change: String, Codable {
        /// The image is made: without its configuration, its layers go again.
        case load
        /// The image is removed: it goes in any case.
        case remove
    }

    /// A layer of the images, and the layer of the store with its content.
    struct Layer: Codable {
        let chain: String
        /// `nil` where the file that tells it is damaged.
        let content: String?
    }

    private var format = FormatNumber()
    let change: Change
    /// The id of the image.
    let image: String
    /// The names with tags that a new image gets.
    let names: [String]
    /// The layers that are made or removed, the lowest one first.
    let layers: [Layer]

    init(_ change: Change, of image: ContentDigest, names: [String] = [], layers: [Layer]) {
        self.change = change
        self.image = "\(image)"
        self.names = names
        self.layers = layers
    }
}
#endif
