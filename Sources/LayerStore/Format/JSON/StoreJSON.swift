internal import FoundationEssentials

/// Writes JSON in one line with its keys in order, and reads JSON of any origin.
package enum StoreJSON {
    /// Reads a text, all of which must be JSON.
    ///
    /// - Throws: `DecodingError`.
    package static func decode<Value: Decodable>(_ type: Value.Type, _ content: [UInt8]) throws -> Value {
        // JSONDecoder (Swift 6.3.1) traps on deeply nested lists when it works out the place of an error.
        if let complaint = JSONSyntax.complaint(about: content) {
            throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: complaint))
        }
        return try JSONDecoder().decode(type, from: Data(content))
    }

    /// Reads an object together with its unknown fields.
    ///
    /// - Throws: `DecodingError`.
    static func decode<Value: KeepsUnknownFields>(_ type: Value.Type, _ content: [UInt8]) throws -> Value {
        try decode(WithUnknownFields<Value>.self, content).value
    }

    /// Writes an object together with its unknown fields.
    static func encode(_ value: some KeepsUnknownFields) throws -> [UInt8] {
        try encode(WithUnknownFields(value))
    }

    package static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    /// Says what is wrong with a text that could not be read, and where, if the text is not JSON.
    package static func explain(_ error: any Error, _ content: [UInt8]) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, _): "“\(key.stringValue)” is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "“\(context.codingPath.map(\.stringValue).joined(separator: "."))” has a value of the wrong type"
        case DecodingError.dataCorrupted(let context):
            JSONSyntax.complaint(about: content) ?? context.debugDescription
        default: "\(error)"
        }
    }
}
