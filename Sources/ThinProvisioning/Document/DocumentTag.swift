/// A tag of the description of metadata, with its attributes.
struct DocumentTag {
    enum Kind { case start, end, empty }

    let name: String
    let kind: Kind
    private let attributes: [(name: String, value: String)]
    private let line: Int

    /// Reads a tag behind its “<”.
    init(_ bytes: inout DocumentBytes) throws(ThinMetadataDocumentError) {
        line = bytes.line
        let isEnd = bytes.skip(over: "/")
        guard let name = bytes.take(until: { " \t\r\n/>".utf8.contains($0) }), !name.isEmpty, name.count < 64 else {
            throw ThinMetadataDocumentError(line: bytes.line, "no name of a tag follows “<”")
        }
        self.name = String(decoding: name, as: UTF8.self)
        var attributes: [(name: String, value: String)] = []
        var isEmpty = false
        while true {
            bytes.skipSpace()
            if bytes.skip(over: ">") { break }
            if !isEnd, bytes.skip(over: "/>") {
                isEmpty = true
                break
            }
            guard !isEnd, attributes.count < 64 else {
                throw ThinMetadataDocumentError(line: bytes.line, "the tag “\(self.name)” does not end")
            }
            attributes.append(try Self.attribute(&bytes, of: self.name))
        }
        self.attributes = attributes
        kind = isEnd ? .end : isEmpty ? .empty : .start
    }

    private static func attribute(
        _ bytes: inout DocumentBytes, of tag: String
    ) throws(ThinMetadataDocumentError) -> (name: String, value: String) {
        func refuse(_ detail: String) -> ThinMetadataDocumentError {
            ThinMetadataDocumentError(line: bytes.line, detail)
        }
        guard let name = bytes.take(until: { "= \t\r\n/><".utf8.contains($0) }), !name.isEmpty, name.count < 64 else {
            throw refuse("the tag “\(tag)” does not end")
        }
        let text = String(decoding: name, as: UTF8.self)
        bytes.skipSpace()
        guard bytes.skip(over: "=") else { throw refuse("the attribute “\(text)” of “\(tag)” has no value") }
        bytes.skipSpace()
        guard let quote = bytes.next, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
            throw refuse("the value of “\(text)” in “\(tag)” has no quotation marks")
        }
        bytes.skip()
        guard let value = bytes.take(until: { $0 == quote }) else {
            throw refuse("the value of “\(text)” in “\(tag)” does not end")
        }
        bytes.skip()
        return (text, String(decoding: value, as: UTF8.self))
    }

    /// Takes the value of an attribute.
    func text(_ attribute: String) throws(ThinMetadataDocumentError) -> String {
        guard let found = attributes.first(where: { $0.name == attribute }) else {
            throw ThinMetadataDocumentError(line: line, "missing attribute '\(attribute)' for tag '\(name)'")
        }
        return found.value
    }

    /// Takes a number; `nil` where an attribute that need not be there is missing.
    func optionalNumber<Number: FixedWidthInteger>(
        _ attribute: String
    ) throws(ThinMetadataDocumentError) -> Number? {
        guard attributes.contains(where: { $0.name == attribute }) else { return nil }
        return try number(attribute)
    }

    /// Takes a number.
    func number<Number: FixedWidthInteger>(_ attribute: String) throws(ThinMetadataDocumentError) -> Number {
        let text = try text(attribute)
        guard let number = Number(text) else {
            throw ThinMetadataDocumentError(
                line: line, "“\(text.prefix(40))” is no number for the attribute “\(attribute)” of “\(name)”")
        }
        return number
    }

    /// Refuses attributes that the tag does not have.
    func requireOnly(_ known: Set<String>) throws(ThinMetadataDocumentError) {
        var seen: Set<String> = []
        for attribute in attributes {
            guard known.contains(attribute.name) else {
                throw ThinMetadataDocumentError(line: line, "unknown attribute '\(attribute.name)' in tag '\(name)'")
            }
            guard seen.insert(attribute.name).inserted else {
                throw ThinMetadataDocumentError(
                    line: line, "the attribute “\(attribute.name)” of “\(name)” is there twice")
            }
        }
    }
}
