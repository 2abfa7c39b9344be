/// Reads the buckets of a database, page by page.
struct BoltReader {
    private let bytes: [UInt8]
    private let meta: BoltMeta
    /// The pages that were read.
    private var seen: Set<UInt64> = []

    /// The greatest depth of a tree; bbolt's own have a handful of levels.
    private static let deepestTree = 32
    /// The greatest number of buckets in each other; containerd's have four.
    private static let deepestBucket = 16

    init(_ bytes: [UInt8], _ meta: BoltMeta) {
        self.bytes = bytes
        self.meta = meta
    }

    /// A page, with the bytes that belong to it.
    private struct Page {
        /// All bytes from the header on.
        let bytes: ArraySlice<UInt8>
        let place: String

        var flags: UInt16 { BoltNumbers(bytes).uint16(8) }
        var count: Int { Int(BoltNumbers(bytes).uint16(10)) }
        var isBranch: Bool { flags & 0x01 != 0 }
        var isLeaf: Bool { flags & 0x02 != 0 }

        /// The numbers in front of an entry.
        func element(_ index: Int) throws(BoltError) -> BoltNumbers {
            let offset = offset(of: index)
            guard offset + 16 <= bytes.count else {
                throw BoltError("it is damaged: \(place) has \(count) entries, and no room for them")
            }
            return BoltNumbers(bytes.dropFirst(offset).prefix(16))
        }

        /// A piece of the page, as an entry tells it.
        func piece(_ index: Int, _ start: Int, _ count: Int) throws(BoltError) -> ArraySlice<UInt8> {
            let offset = offset(of: index) + start
            guard offset + count <= bytes.count else {
                throw BoltError("it is damaged: entry \(index) of \(place) leads out of the page")
            }
            return bytes.dropFirst(offset).prefix(count)
        }

        private func offset(of index: Int) -> Int { BoltMeta.headerSize + index * 16 }
    }

    // MARK: Buckets

    /// Reads the bucket whose tree begins on a page.
    mutating func bucket(root: UInt64, sequence: UInt64, depth: Int = 0) throws(BoltError) -> BoltBucket {
        var bucket = BoltBucket(sequence: sequence)
        try collect(page(root), into: &bucket, depth, level: 0)
        return bucket
    }

    private mutating func collect(
        _ page: Page, into bucket: inout BoltBucket, _ depth: Int, level: Int
    ) throws(BoltError) {
        guard page.isBranch != page.isLeaf else {
            throw BoltError("it is damaged: \(page.place) is no part of a bucket, by its flags \(page.flags)")
        }
        guard level < Self.deepestTree else { throw BoltError("it is damaged: a tree has more than \(level) levels") }
        guard page.isBranch else { return try collectLeaf(page, into: &bucket, depth) }
        for index in 0..<page.count {
            let child = try page.element(index).uint64(8)
            try collect(self.page(child), into: &bucket, depth, level: level + 1)
        }
    }

    private mutating func collectLeaf(_ page: Page, into bucket: inout BoltBucket, _ depth: Int) throws(BoltError) {
        // Entries that share their bytes would make more of a page than it has.
        var room = page.bytes.count
        for index in 0..<page.count {
            let element = try page.element(index)
            let (isBucket, start) = (element.uint32(0) & 0x01 != 0, Int(element.uint32(4)))
            let (keySize, valueSize) = (Int(element.uint32(8)), Int(element.uint32(12)))
            let both = try page.piece(index, start, keySize + valueSize)
            room -= both.count
            guard room >= 0 else {
                throw BoltError("it is damaged: the entries of \(page.place) have more bytes than the page")
            }
            let (key, value) = (Array(both.prefix(keySize)), both.dropFirst(keySize))
            if let last = bucket.entries.last, !last.key.lexicographicallyPrecedes(key) {
                throw BoltError("it is damaged: the keys on \(page.place) are not in order")
            }
            let item: BoltBucket.Item = isBucket ? .bucket(try nested(value, page, depth + 1)) : .value(Array(value))
            bucket.entries.append(.init(key: key, item: item))
        }
    }

    /// Reads a bucket in a bucket: a small one is in the value itself.
    private mutating func nested(
        _ value: ArraySlice<UInt8>, _ page: Page, _ depth: Int
    ) throws(BoltError) -> BoltBucket {
        guard depth <= Self.deepestBucket else {
            throw BoltError("it is damaged: more than \(depth - 1) buckets are in each other")
        }
        guard value.count >= 16 else { throw BoltError("it is damaged: a bucket on \(page.place) has no head") }
        let (root, sequence) = (BoltNumbers(value).uint64(0), BoltNumbers(value).uint64(8))
        guard root == 0 else { return try bucket(root: root, sequence: sequence, depth: depth) }
        let inline = Page(bytes: value.dropFirst(16), place: "a bucket on \(page.place)")
        guard inline.bytes.count >= BoltMeta.headerSize else {
            throw BoltError("it is damaged: \(inline.place) has no head")
        }
        var bucket = BoltBucket(sequence: sequence)
        try collect(inline, into: &bucket, depth, level: 0)
        return bucket
    }

    // MARK: Pages

    /// The page of a number, with the pages that it goes on in.
    private mutating func page(_ number: UInt64) throws(BoltError) -> Page {
        // The first two pages say where everything is.
        guard number >= 2, number < meta.pageCount, number < UInt64(bytes.count / meta.pageSize) else {
            throw BoltError("it is damaged, or was cut short: it names page \(number), which it does not have")
        }
        let start = Int(number) * meta.pageSize
        let header = BoltNumbers(bytes[start...].prefix(BoltMeta.headerSize))
        let count = UInt64(header.uint32(12)) + 1
        guard header.uint64(0) == number else {
            throw BoltError("it is damaged: page \(number) says that it is page \(header.uint64(0))")
        }
        guard number + count <= UInt64(bytes.count / meta.pageSize) else {
            throw BoltError("it is damaged, or was cut short: page \(number) goes on behind the end")
        }
        for part in number..<number + count {
            guard seen.insert(part).inserted else {
                throw BoltError("it is damaged: page \(part) is in two places of a tree")
            }
        }
        return Page(bytes: bytes[start...].prefix(Int(count) * meta.pageSize), place: "page \(number)")
    }
}
