/// One of the two pages at the beginning of a database, which say where everything else is.
struct BoltMeta: Hashable, Sendable {
    /// The size of a page in bytes.
    let pageSize: Int
    /// The page on which the top bucket begins.
    let root: UInt64
    /// The last number that the top bucket gave out.
    let sequence: UInt64
    /// The number behind the last page that is in use.
    let pageCount: UInt64
    /// The number of the transaction that wrote the page.
    let transaction: UInt64

    /// The bytes of a page before its content.
    static let headerSize = 16
    /// The bytes that the checksum is about, and the checksum.
    private static let size = 64
    static let magic: UInt32 = 0xED0C_DAED
    static let version: UInt32 = 2
    static let pageFlag: UInt16 = 0x04
    /// The sizes of a page that machines have.
    private static let pageSizes = (9...16).map { 1 << $0 }

    /// The newer one of the two pages, as far as they are whole.
    ///
    /// - Returns: `nil` where neither is.
    static func newest(in bytes: [UInt8]) -> BoltMeta? {
        let first = BoltMeta(bytes, at: 0)
        // Where the first is damaged, nothing else tells the size of a page.
        let sizes = first.map { [$0.pageSize] } ?? pageSizes
        let second = sizes.lazy.compactMap { size in BoltMeta(bytes, at: size) }.first { sizes.contains($0.pageSize) }
        guard let first, let second else { return first ?? second }
        return second.transaction > first.transaction ? second : first
    }

    /// Reads one at a place in the file.
    ///
    /// - Returns: `nil` when it is not whole.
    private init?(_ bytes: [UInt8], at place: Int) {
        guard place + Self.headerSize + Self.size <= bytes.count else { return nil }
        let header = BoltNumbers(bytes[place...])
        let fields = BoltNumbers(bytes[(place + Self.headerSize)...])
        guard header.uint16(8) & Self.pageFlag != 0, fields.uint32(0) == Self.magic, fields.uint32(4) == Self.version,
            fields.uint64(56) == Self.checksum(bytes[(place + Self.headerSize)...].prefix(56))
        else { return nil }
        pageSize = Int(fields.uint32(8))
        root = fields.uint64(16)
        sequence = fields.uint64(24)
        pageCount = fields.uint64(40)
        transaction = fields.uint64(48)
        // The second one is behind the first page, and no other place is it.
        guard Self.pageSizes.contains(pageSize), place == 0 || place == pageSize else { return nil }
    }

    /// FNV-1a with 64 bits.
    static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { hash, byte in (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
}

/// Numbers in bytes, the lowest byte first; what lies behind the end counts as zero.
struct BoltNumbers {
    private let bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
    }

    func uint16(_ offset: Int) -> UInt16 { UInt16(truncatingIfNeeded: number(offset, 2)) }
    func uint32(_ offset: Int) -> UInt32 { UInt32(truncatingIfNeeded: number(offset, 4)) }
    func uint64(_ offset: Int) -> UInt64 { number(offset, 8) }

    private func number(_ offset: Int, _ count: Int) -> UInt64 {
        bytes.dropFirst(offset).prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
