internal import ThinProvisioning

/// A fast way to read and write the usual form of metadata files, which Docker's files have as well: one line of JSON
/// without blanks, with each field once.
///
/// It takes a small part of the time of a general JSON decoder, and reading files takes most of the time of listing
/// thousands of layers. Files of any other form are left to the general decoder, which also explains errors.
extension LayerRecord {
    /// Reads a metadata file of the usual form.
    ///
    /// - Returns: `nil` when the file has another form, whether or not that form is correct.
    init?(usualText text: [UInt8]) {
        var scanner = RecordScanner(text)
        guard scanner.skips("{") else { return nil }
        var fields: [CodingKeys: RecordScanner.Value] = [:]
        repeat {
            guard let name = scanner.string(), let key = CodingKeys(rawValue: name), key != .snapshot,
                scanner.skips(":"),
                let value = scanner.value(), fields.updateValue(value, forKey: key) == nil
            else { return nil }
        } while scanner.skips(",")
        guard scanner.skips("}"), scanner.isAtEnd,
            case .number(let number)? = fields[.deviceID], let deviceID = ThinDeviceID(number),
            case .number(let size)? = fields[.size], case .number(let transactionID)? = fields[.transactionID],
            case .truth(let isInitialized)? = fields[.isInitialized]
        else { return nil }
        self.init(
            deviceID: deviceID, size: size, transactionID: transactionID, isInitialized: isInitialized,
            isDeleted: false, parent: nil, created: nil)
        switch fields[.format] {
        case nil: break
        case .number(let value) where value == UInt64(FormatNumber.current): break
        default: return nil
        }
        switch fields[.isDeleted] {
        case nil: break
        case .truth(let value): isDeleted = value
        default: return nil
        }
        switch fields[.parent] {
        case nil: break
        case .string(let value): parent = value
        default: return nil
        }
        switch fields[.created] {
        case nil: break
        case .number(let value):
            guard let value = Int64(exactly: value) else { return nil }
            created = value
        default: return nil
        }
    }

    /// The metadata file as `JSONEncoder` writes it with its keys in order.
    ///
    /// It is `nil` where a text needs escapes, and for a snapshot or unknown fields, which have no usual form.
    var usualText: [UInt8]? {
        guard snapshot == nil, unknownFields.isEmpty, parent?.utf8.allSatisfy(RecordScanner.isPlain) ?? true else {
            return nil
        }
        var text = "{"
        if let created { text += "\"created\":\(created)," }
        text += "\"deleted\":\(isDeleted),\"device_id\":\(deviceID.value),\"format\":\(FormatNumber.current),"
        text += "\"initialized\":\(isInitialized),"
        if let parent { text += "\"parent\":\"\(parent)\"," }
        text += "\"size\":\(size),\"transaction_id\":\(transactionID)}"
        return Array(text.utf8)
    }
}

/// Reads the parts of a metadata file in order.
private struct RecordScanner {
    enum Value {
        case number(UInt64)
        case truth(Bool)
        case string(String)
    }

    private let text: [UInt8]
    private var position = 0

    init(_ text: [UInt8]) {
        self.text = text
    }

    var isAtEnd: Bool { position == text.count }

    private var next: UInt8? { position < text.count ? text[position] : nil }

    mutating func skips(_ expected: String) -> Bool {
        guard text[position...].starts(with: expected.utf8) else { return false }
        position += expected.utf8.count
        return true
    }

    mutating func value() -> Value? {
        switch next {
        case UInt8(ascii: "\""): string().map(Value.string)
        case UInt8(ascii: "t"): skips("true") ? .truth(true) : nil
        case UInt8(ascii: "f"): skips("false") ? .truth(false) : nil
        default: number().map(Value.number)
        }
    }

    mutating func string() -> String? {
        guard next == UInt8(ascii: "\"") else { return nil }
        let start = position + 1
        position = start
        while let byte = next, Self.isPlain(byte) { position += 1 }
        guard next == UInt8(ascii: "\"") else { return nil }
        defer { position += 1 }
        return String(decoding: text[start..<position], as: UTF8.self)
    }

    private mutating func number() -> UInt64? {
        let start = position
        var value: UInt64 = 0
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, isSumTooLarge) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            guard !isTooLarge, !isSumTooLarge else { return nil }
            value = sum
            position += 1
        }
        // JSON has no leading zeros.
        guard position > start, text[start] != UInt8(ascii: "0") || position == start + 1 else { return nil }
        return value
    }

    /// Whether a byte stands for itself in a JSON string.
    static func isPlain(_ byte: UInt8) -> Bool {
        (0x20...0x7e).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }
}
