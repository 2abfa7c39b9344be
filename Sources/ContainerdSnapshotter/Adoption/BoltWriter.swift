/// Writes a database of bbolt from nothing: pages of leaves, then the pages above them, and the first two pages last.
///
/// As bbolt does, it keeps a small bucket that has no other buckets in the entry of its key. The file has no free pages.
struct BoltWriter {
    private let pageSize: Int
    /// The file, whole pages of it.
    private var bytes: [UInt8]

    /// The page that lists the free ones; behind it are the buckets.
    private static let freelist: UInt64 = 2

    private init(pageSize: Int) {
        self.pageSize = pageSize
        bytes = [UInt8](repeating: 0, count: 3 * pageSize)
    }

    /// The content of a file with these buckets.
    ///
    /// - Parameters:
    ///   - root: The buckets.
    ///   - meta: The first pages of the file that the buckets were read from.
    static func file(_ root: BoltBucket, like meta: BoltMeta) -> [UInt8] {
        var writer = BoltWriter(pageSize: meta.pageSize)
        let page = writer.write(root)
        writer.put(writer.header(freelist, flags: 0x10, count: 0, overflow: 0), at: Int(freelist) * meta.pageSize)
        let transaction = meta.transaction / 2 * 2 &+ 2
        // bbolt writes the page of an even transaction first, and takes the newer one.
        for number in [0, 1] as [UInt64] {
            writer.writeMeta(number, root: page, root.sequence, transaction: transaction + number)
        }
        return writer.bytes
    }

    // MARK: Buckets

    /// Writes a bucket.
    ///
    /// - Returns: The page on which its tree begins.
    private mutating func write(_ bucket: BoltBucket) -> UInt64 {
        var items = bucket.entries.map { entry in
            switch entry.item {
            case .value(let value): Item(flags: 0, key: entry.key, value: value)
            case .bucket(let inner): Item(flags: 1, key: entry.key, value: value(of: inner))
            }
        }
        var isLeaf = true
        while true {
            let pages = split(items, isLeaf: isLeaf)
            let written = pages.map { page in
                Item(flags: 0, key: page.first?.key ?? [], value: Self.bytes(writePage(page, isLeaf: isLeaf)))
            }
            if let root = written.first, written.count == 1 { return BoltNumbers(root.value[...]).uint64(0) }
            (items, isLeaf) = (written, false)
        }
    }

    /// The value of the key that a bucket has: its head, and behind it all of a small bucket.
    private mutating func value(of bucket: BoltBucket) -> [UInt8] {
        let hasBuckets = bucket.entries.contains { entry in
            if case .bucket = entry.item { true } else { false }
        }
        let items = bucket.entries.compactMap { entry -> Item? in
            guard case .value(let value) = entry.item else { return nil }
            return Item(flags: 0, key: entry.key, value: value)
        }
        let size = items.reduce(BoltMeta.headerSize) { $0 + $1.size }
        guard !hasBuckets, size <= pageSize / 4 else {
            return Self.bytes(write(bucket)) + Self.bytes(bucket.sequence)
        }
        return Self.bytes(0) + Self.bytes(bucket.sequence) + header(0, flags: 0x02, count: items.count, overflow: 0)
            + Self.content(items, isLeaf: true)
    }

    /// An entry of a page: of a leaf, or of a page above leaves, whose value is the number of a page.
    private struct Item {
        let flags: UInt32
        let key: [UInt8]
        let value: [UInt8]

        var size: Int { 16 + key.count + value.count }
    }

    /// Divides entries among pages; an entry that is larger than a page has one of its own, with the pages behind it.
    private func split(_ items: [Item], isLeaf: Bool) -> [[Item]] {
        var pages: [[Item]] = [[]]
        var room = pageSize - BoltMeta.headerSize
        for item in items {
            // A page above leaves must lead to two pages, or the tree would never end.
            let least = isLeaf ? 0 : 1
            if room < item.size, pages[pages.count - 1].count > least {
                pages.append([])
                room = pageSize - BoltMeta.headerSize
            }
            pages[pages.count - 1].append(item)
            room -= item.size
        }
        if !isLeaf { Self.balance(&pages) }
        return pages
    }

    /// Leaves no page above leaves that leads to one page only: bbolt ends its program when it has to merge that page.
    private static func balance(_ pages: inout [[Item]]) {
        guard pages.count > 1, pages[pages.count - 1].count == 1 else { return }
        let last = pages.removeLast()
        if pages[pages.count - 1].count > 2 {
            pages.append([pages[pages.count - 1].removeLast()] + last)
        } else {
            pages[pages.count - 1] += last
        }
    }

    // MARK: Pages

    private mutating func writePage(_ items: [Item], isLeaf: Bool) -> UInt64 {
        let content = Self.content(items, isLeaf: isLeaf)
        let count = max(1, (BoltMeta.headerSize + content.count + pageSize - 1) / pageSize)
        let number = UInt64(bytes.count / pageSize)
        let start = bytes.count
        bytes += [UInt8](repeating: 0, count: count * pageSize)
        let flags: UInt16 = isLeaf ? 0x02 : 0x01
        put(header(number, flags: flags, count: items.count, overflow: count - 1) + content, at: start)
        return number
    }

    /// The numbers of all entries, and then their keys and values.
    private static func content(_ items: [Item], isLeaf: Bool) -> [UInt8] {
        var (numbers, data): ([UInt8], [UInt8]) = ([], [])
        for (index, item) in items.enumerated() {
            let place = UInt32((items.count - index) * 16 + data.count)
            let keySize = UInt32(item.key.count)
            numbers +=
                isLeaf
                ? bytes(item.flags) + bytes(place) + bytes(keySize) + bytes(UInt32(item.value.count))
                : bytes(place) + bytes(keySize) + item.value
            data += item.key + (isLeaf ? item.value : [])
        }
        return numbers + data
    }

    private func header(_ number: UInt64, flags: UInt16, count: Int, overflow: Int) -> [UInt8] {
        Self.bytes(number) + Self.bytes(flags) + Self.bytes(UInt16(truncatingIfNeeded: count))
            + Self.bytes(UInt32(truncatingIfNeeded: overflow))
    }

    private mutating func writeMeta(_ number: UInt64, root: UInt64, _ sequence: UInt64, transaction: UInt64) {
        var fields = Self.bytes(BoltMeta.magic) + Self.bytes(BoltMeta.version) + Self.bytes(UInt32(pageSize))
        fields += Self.bytes(UInt32(0)) + Self.bytes(root) + Self.bytes(sequence) + Self.bytes(Self.freelist)
        fields += Self.bytes(UInt64(bytes.count / pageSize)) + Self.bytes(transaction)
        let page = header(number, flags: BoltMeta.pageFlag, count: 0, overflow: 0) + fields
        put(page + Self.bytes(BoltMeta.checksum(fields[...])), at: Int(number) * pageSize)
    }

    private mutating func put(_ content: [UInt8], at place: Int) {
        bytes.replaceSubrange(place..<place + content.count, with: content)
    }

    /// A number, the lowest byte first.
    private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        (0..<(number.bitWidth / 8)).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    private static func bytes(_ number: Int) -> [UInt8] { bytes(UInt64(number)) }
}
