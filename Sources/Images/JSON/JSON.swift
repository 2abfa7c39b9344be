#if Images
/// Any JSON, for documents of which only a part is understood and all must be kept.
public enum JSON: Hashable, Sendable, Codable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case text(String)
    case list([JSON])
    case object([String: JSON])

    /// Takes any value.
    public init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
            return
        }
        /// The value in one form.
        func form<Value: Decodable>(_ type: Value.Type) -> Value? {
            // A value of another form is no fault; the last form says what is wrong.
            try? value.decode(type)
        }
        if let bool = form(Bool.self) {
            self = .bool(bool)
        } else if let integer = form(Int64.self) {
            self = .integer(integer)
        } else if let number = form(Double.self) {
            self = .number(number)
        } else if let text = form(String.self) {
            self = .text(text)
        } else if let list = form([JSON].self) {
            self = .list(list)
        } else {
            self = .object(try value.decode([String: JSON].self))
        }
    }

    /// Writes the value.
    public func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .null: try value.encodeNil()
        case .bool(let bool): try value.encode(bool)
        case .integer(let integer): try value.encode(integer)
        case .number(let number): try value.encode(number)
        case .text(let text): try value.encode(text)
        case .list(let list): try value.encode(list)
        case .object(let object): try value.encode(object)
        }
    }

    /// The value of a key, if this is an object that has it.
    public subscript(_ key: String) -> JSON? {
        guard case .object(let object) = self else { return nil }
        return object[key]
    }

    /// The text, if this is one.
    public var text: String? {
        guard case .text(let text) = self else { return nil }
        return text
    }

    /// The elements, if this is a list.
    public var list: [JSON]? {
        guard case .list(let list) = self else { return nil }
        return list
    }

    /// The object with the value of a key set.
    func setting(_ key: String, _ value: JSON) -> JSON {
        guard case .object(var object) = self else { return self }
        object[key] = value
        return .object(object)
    }
}
#endif
