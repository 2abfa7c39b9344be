internal import LayerStore

/// A layer in JSON: the fields of its metadata file, with their names there, and its id.
struct LayerJSON: Encodable {
    private let id: String
    private let record: LayerRecord

    init(_ id: LayerID, _ record: LayerRecord) {
        self.id = id.text
        self.record = record
    }

    private enum CodingKeys: String, CodingKey {
        case id
    }

    func encode(to encoder: any Encoder) throws {
        try record.encode(to: encoder)
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(id, forKey: .id)
    }
}
