/// The pax records that hold for all entries that follow, from any number of headers.
struct GlobalRecords {
    /// Every entry is compared with them all.
    private static let mostRecords = 1024
    private static let mostBytes = 1 << 20

    /// The records, one for each keyword.
    private(set) var records = PaxRecords()
    private var values: [[UInt8]: [UInt8]] = [:]
    private var bytes = 0

    /// Takes over the records of another header, each in place of an earlier one with its keyword.
    ///
    /// - Throws: ``LayerArchiveError/Code/unsupported`` when there are too many of them.
    mutating func merge(_ others: PaxRecords) throws(LayerArchiveError) {
        for (keyword, value) in others.records where !Self.isOfOneFile(keyword) {
            bytes += keyword.count + value.count
            if let old = values.updateValue(value, forKey: keyword) { bytes -= keyword.count + old.count }
            guard values.count <= Self.mostRecords, bytes <= Self.mostBytes else {
                throw LayerArchiveError(
                    .unsupported,
                    "the global pax headers have more than \(Self.mostRecords) records or \(Self.mostBytes) bytes")
            }
        }
        records = PaxRecords(values)
    }

    /// Whether a record makes no sense for more than one file.
    private static func isOfOneFile(_ keyword: [UInt8]) -> Bool {
        keyword.starts(with: "GNU.sparse.".utf8)
            || ["path", "linkpath", "size"].contains { keyword.elementsEqual($0.utf8) }
    }
}
