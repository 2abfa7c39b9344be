/// A database of bbolt, the key-value store in which containerd keeps what its parts know.
///
/// The file is read only, and nothing in it is trusted:
///
/// * a page, a key and a value lie within the file;
/// * no page is read twice, so that what comes out of a file is not larger than the file;
/// * the keys of a bucket are in order, so that none is there twice;
/// * a tree and a bucket in a bucket have a greatest depth.
///
/// The layout is that of bbolt's `page.go`, `meta.go` and `bucket.go`, with the byte order of the machine that wrote it.
struct BoltFile: Sendable {
    /// The bucket that has all other buckets.
    let root: BoltBucket
    /// The pages that say where everything is.
    let meta: BoltMeta

    /// Reads the content of a file.
    ///
    /// A file has two pages that say where everything is, and a writer changes them in turns. The newer one that is whole counts.
    ///
    /// - Throws: ``BoltError`` when the bytes are no such file, or when a part of it is damaged.
    init(_ bytes: [UInt8]) throws(BoltError) {
        guard let meta = BoltMeta.newest(in: bytes) else {
            throw BoltError("it is no bbolt database, or both pages at its beginning are damaged")
        }
        var reader = BoltReader(bytes, meta)
        root = try reader.bucket(root: meta.root, sequence: meta.sequence)
        self.meta = meta
    }
}

/// A bucket: keys, each with a value or with another bucket.
struct BoltBucket: Hashable, Sendable {
    /// The value of a key, or its bucket.
    enum Item: Hashable, Sendable {
        case value([UInt8])
        case bucket(BoltBucket)
    }

    /// A key with its value or bucket.
    struct Entry: Hashable, Sendable {
        var key: [UInt8]
        var item: Item
    }

    /// The entries in the order of their keys.
    var entries: [Entry] = []
    /// The last number that the bucket gave out.
    var sequence: UInt64 = 0

    /// The value of a key; `nil` where there is none, or a bucket.
    func value(_ key: String) -> [UInt8]? {
        guard case .value(let value)? = item(key) else { return nil }
        return value
    }

    /// The bucket of a key; `nil` where there is none, or a value.
    func bucket(_ key: String) -> BoltBucket? {
        guard case .bucket(let bucket)? = item(key) else { return nil }
        return bucket
    }

    private func item(_ key: String) -> Item? {
        entries.first { $0.key.elementsEqual(key.utf8) }?.item
    }
}

/// A database that cannot be read, and why.
struct BoltError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The reason, as the end of a sentence about the file.
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
