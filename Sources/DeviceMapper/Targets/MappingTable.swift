/// A mapping table: which target maps which sectors of a device.
public struct MappingTable: Hashable, Sendable {
    /// The segments, which cover the device from its first sector without a gap.
    public var entries: [TableEntry]
    /// Whether the device is made read-only.
    public var isReadOnly: Bool

    /// Makes a table of `entries`.
    public init(_ entries: [TableEntry], isReadOnly: Bool = false) {
        self.entries = entries
        self.isReadOnly = isReadOnly
    }

    /// Makes a table in which one target maps all of a device of `length` sectors.
    public init(_ target: Target, length: Sectors, isReadOnly: Bool = false) {
        self.init([TableEntry(start: 0, length: length, target: target)], isReadOnly: isReadOnly)
    }

    /// Reads a table in dmsetup's form: one line a segment, `start length target parameters`, comments behind `#` at
    /// the beginning of a line.
    ///
    /// - Throws: ``DeviceMapperError/Code/invalidTable`` with the number of the line.
    public init(parsing text: String, isReadOnly: Bool = false) throws(DeviceMapperError) {
        var entries: [TableEntry] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let content = line.drop { $0.isWhitespace }
            if content.isEmpty || content.first == "#" { continue }
            guard let entry = TableEntry(String(content)) else {
                // The line itself is not repeated, because it may hold a key.
                throw DeviceMapperError(
                    .invalidTable, detail: "line \(index + 1) of the table is not “start length target parameters”")
            }
            entries.append(entry)
        }
        guard !entries.isEmpty else { throw DeviceMapperError(.invalidTable, detail: "the table is empty") }
        self.init(entries, isReadOnly: isReadOnly)
    }

    /// The length of the device in sectors.
    public var length: Sectors {
        entries.reduce(0) {
            Sectors(max($0.count, $1.start.count.addingReportingOverflow($1.length.count).partialValue))
        }
    }

    /// The table as `struct dm_target_spec` records, each counting from itself to the next.
    ///
    /// - Throws: ``DeviceMapperError/Code/invalidTable`` for what the kernel would read as something else.
    func encoded() throws(DeviceMapperError) -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ number: some FixedWidthInteger) {
            unsafe withUnsafeBytes(of: number) { unsafe bytes.append(contentsOf: $0) }
        }
        for (index, entry) in entries.enumerated() {
            let type = Array(entry.target.type.utf8)
            let parameters = Array(entry.target.parameters.utf8)
            guard (1...15).contains(type.count), !type.contains(0), !parameters.contains(0) else {
                throw DeviceMapperError(
                    .invalidTable,
                    detail:
                        "segment \(index + 1) of the table: a target's name has 1 to 15 bytes, and neither it nor the "
                        + "parameters have a zero byte")
            }
            let specificationSize = 40
            let end = (specificationSize + parameters.count + 1 + 7) & ~7
            append(entry.start.count)
            append(entry.length.count)
            append(Int32(0))
            append(UInt32(clamping: end))
            bytes += type + [UInt8](repeating: 0, count: 16 - type.count)
            bytes += parameters + [UInt8](repeating: 0, count: end - specificationSize - parameters.count)
        }
        return bytes
    }
}

extension MappingTable: CustomStringConvertible {
    /// The table as dmsetup prints it, without a newline at the end.
    ///
    /// Keys are in it; see ``redacted``.
    public var description: String { entries.map(\.description).joined(separator: "\n") }

    /// The table with zeros for the digits of every key.
    public var redacted: MappingTable {
        var table = self
        for index in table.entries.indices {
            table.entries[index].target = table.entries[index].target.redacted
        }
        return table
    }
}

/// One segment of a mapping table.
public struct TableEntry: Hashable, Sendable {
    /// The first sector of the segment.
    public var start: Sectors
    /// Its length in sectors.
    public var length: Sectors
    /// The target that maps the range.
    public var target: Target

    /// Makes a segment.
    public init(start: Sectors, length: Sectors, target: Target) {
        self.start = start
        self.length = length
        self.target = target
    }

    init(_ line: TargetLine) {
        self.init(start: line.start, length: line.length, target: Target(type: line.type, parameters: line.text))
    }
}

extension TableEntry: LosslessStringConvertible {
    /// Reads `start length target parameters`.
    public init?(_ description: String) {
        let words = description.split(maxSplits: 3, whereSeparator: \.isWhitespace)
        guard words.count >= 3, let start = UInt64(words[0]), let length = UInt64(words[1]),
            !start.addingReportingOverflow(length).overflow, words[2].utf8.count <= 15
        else { return nil }
        self.init(
            start: Sectors(start), length: Sectors(length),
            target: Target(type: String(words[2]), parameters: words.count > 3 ? String(words[3]) : ""))
    }

    /// The segment as dmsetup prints it.
    public var description: String {
        let parameters = target.parameters
        return "\(start) \(length) \(target.type)" + (parameters.isEmpty ? "" : " " + parameters)
    }
}
