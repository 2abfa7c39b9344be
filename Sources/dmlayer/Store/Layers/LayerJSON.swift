internal import LayerStore

/// A layer in JSON: the fields of its metadata file, with their names there, its id, and its space where that is known.
struct LayerJSON: Encodable {
    private let id: String
    private let record: LayerRecord
    private let space: LayerSpace?

    init(_ id: LayerID, _ record: LayerRecord, _ space: LayerSpace? = nil) {
        self.id = id.text
        self.record = record
        self.space = space
    }

    private enum CodingKeys: String, CodingKey {
        case id
        case space
    }

    func encode(to encoder: any Encoder) throws {
        try record.encode(to: encoder)
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(id, forKey: .id)
        try fields.encodeIfPresent(space, forKey: .space)
    }
}
