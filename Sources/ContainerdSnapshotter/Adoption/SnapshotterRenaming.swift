public import LayerStore
public import SystemPackage

/// Gives the snapshots of one snapshotter to another in containerd's own database, `meta.db`.
///
/// containerd keeps the names of all snapshots, and what refers to them, under the name of their snapshotter. It lets no proxy plugin
/// have the name of one that is built in. So a copy of the database is made with the other name in these places:
///
/// * the snapshots, and those that a lease holds;
/// * the snapshotter of each container;
/// * the labels by which images, content, containers and snapshots hold a snapshot;
/// * the label of a namespace that names its snapshotter.
public struct SnapshotterRenaming {
    /// The database with the other name.
    public private(set) var content: [UInt8] = []
    /// How many snapshots have the other name.
    public private(set) var snapshotCount = 0
    /// How many containers do.
    public private(set) var containerCount = 0

    /// The labels that hold a snapshot, up to the name of its snapshotter; containerd's garbage collection reads them.
    private static let references = ["ref", "bref", "cond"].map { "containerd.io/gc.\($0).snapshot." }
    private static let namespaceDefault = "containerd.io/defaults/snapshotter"

    private let old: String
    private let new: String

    /// Where containerd keeps the database.
    public static let usualDatabase: FilePath = "/var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db"

    /// Reads a database, whose file is not changed.
    ///
    /// - Parameters:
    ///   - path: The path of the database.
    ///   - old: The name of the snapshotter until now.
    ///   - new: The other name.
    /// - Throws: ``LayerStoreError/Code/busy`` while containerd runs; ``LayerStoreError/Code/damagedMetadata``;
    ///   ``LayerStoreError/Code/optionsContradict`` when the other name has snapshots already.
    public init(of path: FilePath, from old: String, to new: String) throws(LayerStoreError) {
        let database = try BoltDatabase(path)
        do {
            try self.init(database.content, from: old, to: new)
        } catch {
            throw LayerStoreError(
                .optionsContradict, "\(path) cannot be changed: \(error). Nothing was written", underlying: error)
        }
    }

    init(_ database: BoltFile, from old: String, to new: String) throws(BoltError) {
        (self.old, self.new) = (old, new)
        var root = database.root
        for index in root.entries.indices where root.entries[index].key.elementsEqual("v1".utf8) {
            guard case .bucket(var namespaces) = root.entries[index].item else { continue }
            for index in namespaces.entries.indices {
                guard case .bucket(var namespace) = namespaces.entries[index].item else { continue }
                try rename(in: &namespace)
                namespaces.entries[index].item = .bucket(namespace)
            }
            root.entries[index].item = .bucket(namespaces)
        }
        let written = BoltWriter.file(root, like: database.meta)
        // The file takes the place of one without which containerd knows nothing.
        guard try BoltFile(written).root == root else { throw BoltError("it was not written as it was read") }
        content = written
    }

    // MARK: A namespace

    private mutating func rename(in namespace: inout BoltBucket) throws(BoltError) {
        let (old, new) = (old, new)
        var count = 0
        try namespace.change("snapshots") { snapshots throws(BoltError) in
            count = snapshots.bucket(old)?.entries.count ?? 0
            // containerd keeps the empty bucket of a snapshotter whose last snapshot is gone.
            snapshots.removeIfEmpty(new)
            guard count == 0 || snapshots.bucket(new) == nil else {
                throw BoltError(
                    "“\(new)” has snapshots already. Remove them with “ctr snapshots --snapshotter \(new) rm”, or give another "
                        + "name with --to and use it in containerd's configuration")
            }
            try snapshots.rename(old, to: new)
        }
        snapshotCount += count
        var containers = 0
        try namespace.change("containers") { all throws(BoltError) in
            for index in all.entries.indices {
                guard case .bucket(var container) = all.entries[index].item else { continue }
                guard container.value("snapshotter")?.elementsEqual(old.utf8) == true else { continue }
                container.set("snapshotter", Array(new.utf8))
                all.entries[index].item = .bucket(container)
                containers += 1
            }
        }
        containerCount += containers
        try namespace.change("leases") { leases throws(BoltError) in
            for index in leases.entries.indices {
                guard case .bucket(var lease) = leases.entries[index].item else { continue }
                try lease.change("snapshots") { held throws(BoltError) in try held.rename(old, to: new) }
                leases.entries[index].item = .bucket(lease)
            }
        }
        try namespace.change("labels") { labels throws(BoltError) in
            guard labels.value(Self.namespaceDefault)?.elementsEqual(old.utf8) == true else { return }
            labels.set(Self.namespaceDefault, Array(new.utf8))
        }
        try renameLabels(in: &namespace)
    }

    /// Renames the labels of everything in a bucket.
    private func renameLabels(in bucket: inout BoltBucket) throws(BoltError) {
        for index in bucket.entries.indices {
            guard case .bucket(var inner) = bucket.entries[index].item else { continue }
            if bucket.entries[index].key.elementsEqual("labels".utf8) { try renameReferences(in: &inner) }
            try renameLabels(in: &inner)
            bucket.entries[index].item = .bucket(inner)
        }
    }

    private func renameReferences(in labels: inout BoltBucket) throws(BoltError) {
        for reference in Self.references {
            let prefix = Array((reference + old).utf8)
            for key in labels.entries.map(\.key) where key.starts(with: prefix) {
                let rest = key.dropFirst(prefix.count)
                // Behind a slash, more labels for one snapshotter have a name of their own.
                guard rest.isEmpty || rest.first == UInt8(ascii: "/") else { continue }
                try labels.rename(key, to: Array((reference + new).utf8) + rest)
            }
        }
    }
}

extension BoltBucket {
    /// Changes a bucket of this one; nothing happens where there is none.
    mutating func change(_ key: String, _ body: (inout BoltBucket) throws(BoltError) -> Void) throws(BoltError) {
        guard let index = entries.firstIndex(where: { $0.key.elementsEqual(key.utf8) }),
            case .bucket(var bucket) = entries[index].item
        else { return }
        try body(&bucket)
        entries[index].item = .bucket(bucket)
    }

    /// Gives a key, if it is there, another name.
    ///
    /// - Throws: ``BoltError`` when there is one of that name.
    mutating func rename(_ key: String, to name: String) throws(BoltError) {
        try rename(Array(key.utf8), to: Array(name.utf8))
    }

    mutating func rename(_ key: [UInt8], to name: [UInt8]) throws(BoltError) {
        guard let index = entries.firstIndex(where: { $0.key == key }) else { return }
        guard !entries.contains(where: { $0.key == name }) else {
            throw BoltError("“\(String(decoding: name, as: UTF8.self))” is there already")
        }
        entries[index].key = name
        entries.sort { $0.key.lexicographicallyPrecedes($1.key) }
    }

    /// Removes the bucket of a key if there is nothing in it.
    mutating func removeIfEmpty(_ key: String) {
        guard bucket(key)?.entries.isEmpty == true else { return }
        entries.removeAll { $0.key.elementsEqual(key.utf8) }
    }

    /// Replaces the value of a key that is there.
    mutating func set(_ key: String, _ value: [UInt8]) {
        guard let index = entries.firstIndex(where: { $0.key.elementsEqual(key.utf8) }) else { return }
        entries[index].item = .value(value)
    }
}
