/// The fields of a JSON object that this version of the program does not know.
///
/// A newer version may have written them. They are kept, so that a file still has them after this version has changed
/// something else in it.
struct UnknownFields: Hashable, Sendable {
    /// A JSON value of any kind.
    fileprivate enum Value: Hashable, Sendable {
        case null
        case truth(Bool)
        case integer(Int64)
        case natural(UInt64)
        case number(Double)
        case text(String)
        case list([Value])
        case object([String: Value])
    }

    private struct FieldName: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private var values: [String: Value] = [:]

    /// Whether there are none.
    var isEmpty: Bool { values.isEmpty }

    /// No fields.
    init() {}

    /// Takes the fields of an object that are not among the known ones.
    init<Key: CodingKey & CaseIterable>(from decoder: any Decoder, besides known: Key.Type) throws {
        let fields = try decoder.container(keyedBy: FieldName.self)
        for name in fields.allKeys where Key(stringValue: name.stringValue) == nil {
            values[name.stringValue] = try fields.decode(Value.self, forKey: name)
        }
    }

    /// Adds the fields to the object that is being written.
    func encode(to encoder: any Encoder) throws {
        guard !isEmpty else { return }
        var fields = encoder.container(keyedBy: FieldName.self)
        for (name, value) in values { try fields.encode(value, forKey: FieldName(stringValue: name)) }
    }
}

extension UnknownFields.Value: Codable {
    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        // A value has one type, and the decoder tells which only by refusing all others.
        if value.decodeNil() {
            self = .null
        } else if let truth = try? value.decode(Bool.self) {
            self = .truth(truth)
        } else if let integer = try? value.decode(Int64.self) {
            self = .integer(integer)
        } else if let natural = try? value.decode(UInt64.self) {
            self = .natural(natural)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let list = try? value.decode([Self].self) {
            self = .list(list)
        } else {
            self = .object(try value.decode([String: Self].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .null: try value.encodeNil()
        case .truth(let truth): try value.encode(truth)
        case .integer(let integer): try value.encode(integer)
        case .natural(let natural): try value.encode(natural)
        case .number(let number): try value.encode(number)
        case .text(let text): try value.encode(text)
        case .list(let list): try value.encode(list)
        case .object(let object): try value.encode(object)
        }
    }
}

/// A part of a file whose unknown fields survive.
protocol KeepsUnknownFields: Codable, Hashable, Sendable {
    associatedtype CodingKeys: CodingKey, CaseIterable
    var unknownFields: UnknownFields { get set }
}

/// Reads and writes an object together with the fields that this version does not know.
struct WithUnknownFields<Value: KeepsUnknownFields>: Codable, Hashable, Sendable {
    var value: Value

    init(_ value: Value) {
        self.value = value
    }

    init(from decoder: any Decoder) throws {
        value = try Value(from: decoder)
        value.unknownFields = try UnknownFields(from: decoder, besides: Value.CodingKeys.self)
    }

    func encode(to encoder: any Encoder) throws {
        try value.encode(to: encoder)
        try value.unknownFields.encode(to: encoder)
    }
}
