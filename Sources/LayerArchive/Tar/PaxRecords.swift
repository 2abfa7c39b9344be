/// The records of a pax extended header: keywords with values, of which the last one of a keyword counts.
struct PaxRecords {
    private(set) var records: [(keyword: [UInt8], value: [UInt8])] = []

    static let attributePrefix = Array("SCHILY.xattr.".utf8)

    /// The most records of a header that are read: an old form has two for each range of data of a file with holes.
    private static let mostRecords = 1 << 17

    init() {}

    /// Makes records of keywords and their values.
    init(_ values: [[UInt8]: [UInt8]]) {
        records = values.map { ($0.key, $0.value) }
    }

    // MARK: Reading

    /// Reads records of the form `LENGTH KEYWORD=VALUE\n`, where the length in bytes counts itself.
    init(parsing bytes: [UInt8]) throws(LayerArchiveError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let space = rest.prefix(20).firstIndex(of: UInt8(ascii: " ")),
                let length = Self.number(rest[..<space]), length <= Int64(rest.count),
                length > Int64(space - rest.startIndex + 1)
            else {
                throw LayerArchiveError(.malformed, "a record of the pax header has no valid length")
            }
            let record = rest[(space + 1)..<(rest.startIndex + Int(length))]
            guard record.last == UInt8(ascii: "\n"), let equals = record.firstIndex(of: UInt8(ascii: "=")),
                equals > record.startIndex
            else {
                throw LayerArchiveError(.malformed, "a record of the pax header is not KEYWORD=VALUE")
            }
            guard records.count < Self.mostRecords else {
                throw LayerArchiveError(.unsupported, "a pax header has more than \(Self.mostRecords) records")
            }
            records.append((Array(record[..<equals]), Array(record[(equals + 1)...].dropLast())))
            rest = rest.dropFirst(Int(length))
        }
    }

    /// These records, followed by others that count where both have the same keyword.
    func overridden(by others: PaxRecords) -> PaxRecords {
        var all = self
        all.records += others.records
        return all
    }

    /// The value of a keyword, `nil` where there is none or it is empty, which takes back an earlier one.
    func value(of keyword: String) -> [UInt8]? {
        let length = keyword.utf8.count
        let record = records.last { $0.keyword.count == length && $0.keyword.elementsEqual(keyword.utf8) }
        guard let value = record?.value else { return nil }
        return value.isEmpty ? nil : value
    }

    /// The name or link target that a keyword holds.
    func path(_ keyword: String) throws(LayerArchiveError) -> [UInt8]? {
        guard let value = value(of: keyword) else { return nil }
        guard !value.contains(0) else {
            throw LayerArchiveError(.malformed, "the \(keyword) in the pax header contains a zero byte")
        }
        return value
    }

    /// The number that a keyword holds, not negative.
    func number(_ keyword: String) throws(LayerArchiveError) -> Int64? {
        guard let value = value(of: keyword) else { return nil }
        guard let number = Self.number(value[...]) else {
            throw LayerArchiveError(.malformed, "the \(keyword) in the pax header is no number")
        }
        return number
    }

    /// The time that a keyword holds: seconds with a sign and a fraction, `-1.5`.
    func time(_ keyword: String) throws(LayerArchiveError) -> Timestamp? {
        guard let value = value(of: keyword) else { return nil }
        let isNegative = value.first == UInt8(ascii: "-")
        let parts = value.dropFirst(isNegative ? 1 : 0).split(
            separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = parts.count == 2 ? parts[1] : []
        let nineDigits = Array((fraction + [UInt8](repeating: UInt8(ascii: "0"), count: 9)).prefix(9))
        guard let seconds = parts.first.flatMap(Self.number), let nanoseconds = Self.number(nineDigits[...]),
            fraction.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else {
            throw LayerArchiveError(.malformed, "the \(keyword) in the pax header is no time")
        }
        guard isNegative else { return Timestamp(seconds: seconds, nanoseconds: UInt32(nanoseconds)) }
        guard nanoseconds > 0 else { return Timestamp(seconds: -seconds) }
        return Timestamp(seconds: -seconds - 1, nanoseconds: UInt32(1_000_000_000 - nanoseconds))
    }

    /// The extended attributes, in the order of their names.
    func attributes() throws(LayerArchiveError) -> [ExtendedAttribute] {
        var values: [[UInt8]: [UInt8]] = [:]
        for (keyword, value) in records where keyword.starts(with: Self.attributePrefix) {
            let name = Self.decoded(keyword.dropFirst(Self.attributePrefix.count))
            guard !name.isEmpty, !name.contains(0) else {
                throw LayerArchiveError(.malformed, "an extended attribute in the pax header has no valid name")
            }
            values[name] = value
        }
        return values.map(ExtendedAttribute.init).sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    /// A decimal number without a sign, or `nil`.
    static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard !digits.isEmpty else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (tenfold, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflows) = tenfold.addingReportingOverflow(Int64(digit & 0xf))
            guard !isTooLarge, !overflows else { return nil }
            value = sum
        }
        return value
    }

    // MARK: Writing

    mutating func append(_ keyword: String, _ value: [UInt8]) {
        records.append((Array(keyword.utf8), value))
    }

    mutating func append(_ attribute: ExtendedAttribute) {
        records.append((Self.attributePrefix + Self.encoded(attribute.name), attribute.value))
    }

    mutating func append(_ keyword: String, _ time: Timestamp) {
        // Below zero, the fraction counts away from zero in the text, and towards it in the structure.
        let isShifted = time.seconds < 0 && time.nanoseconds > 0
        let nanoseconds = isShifted ? 1_000_000_000 - time.nanoseconds : time.nanoseconds
        var text = time.seconds < 0 ? "-" : ""
        text += "\((isShifted ? time.seconds + 1 : time.seconds).magnitude)"
        if nanoseconds > 0 {
            text += "." + "\(1_000_000_000 + UInt64(nanoseconds))".dropFirst()
            while text.hasSuffix("0") { text.removeLast() }
        }
        append(keyword, Array(text.utf8))
    }

    /// The records as the contents of a pax header.
    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        for (keyword, value) in records {
            let rest = keyword.count + value.count + 3
            // Counting itself may give the length one digit more.
            var length = rest + String(rest).utf8.count
            length = rest + String(length).utf8.count
            bytes += Array("\(length) ".utf8) + keyword + [UInt8(ascii: "=")] + value + [UInt8(ascii: "\n")]
        }
        return bytes
    }

    /// GNU tar's way to have `=` in a keyword.
    private static func encoded(_ name: [UInt8]) -> [UInt8] {
        name.flatMap { byte in
            switch byte {
            case UInt8(ascii: "%"): Array("%25".utf8)
            case UInt8(ascii: "="): Array("%3D".utf8)
            default: [byte]
            }
        }
    }

    private static func decoded(_ name: ArraySlice<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = name
        while let byte = rest.first {
            let isPercent = rest.starts(with: "%25".utf8)
            let isEncoded = isPercent || rest.starts(with: "%3D".utf8)
            bytes.append(isPercent ? UInt8(ascii: "%") : isEncoded ? UInt8(ascii: "=") : byte)
            rest = rest.dropFirst(isEncoded ? 3 : 1)
        }
        return bytes
    }
}
