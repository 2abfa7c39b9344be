/// A result in JSON that is put together by hand: with many fields that is less code than a type for each result.
enum JSONValue: Encodable {
    /// A list of texts.
    static func texts(_ texts: [String]) -> JSONValue { .list(texts.map(JSONValue.text)) }

    case bool(Bool)
    case number(UInt64)
    case text(String)
    case list([JSONValue])
    /// Keys without a value are left out.
    case object([String: JSONValue?])

    func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .bool(let bool): try value.encode(bool)
        case .number(let number): try value.encode(number)
        case .text(let text): try value.encode(text)
        case .list(let list): try value.encode(list)
        case .object(let object): try value.encode(object.compactMapValues(\.self))
        }
    }
}
