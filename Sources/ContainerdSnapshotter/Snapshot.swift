public import LayerStore

/// A snapshot as containerd sees it: its `Info`.
public struct Snapshot: Hashable, Sendable {
    /// The purpose of a snapshot: active, committed or a view.
    public typealias Kind = SnapshotRecord.Kind

    /// The name that containerd has for the snapshot.
    public let key: String
    /// The key of the snapshot that it was made from; empty for one that began with an empty file system.
    public let parent: String
    /// The purpose of the snapshot.
    public let kind: Kind
    /// The labels that containerd has given the snapshot.
    public let labels: [String: String]
    /// When it was made, or committed, in nanoseconds since 1970.
    public let created: Int64
    /// When it was last changed, in nanoseconds since 1970.
    public let updated: Int64

    init(_ record: SnapshotRecord) {
        key = record.key
        parent = record.parent
        kind = record.kind
        labels = record.labels
        created = record.created
        updated = record.updated
    }
}

/// How to mount a snapshot: the one entry of containerd's list.
public struct SnapshotMount: Hashable, Sendable {
    /// The file system's name.
    public let type: String
    /// The path of the block device.
    public let source: String
    /// The mount options.
    public let options: [String]
}

/// The space that a snapshot takes by itself.
public struct SnapshotUsage: Hashable, Sendable {
    /// The bytes that it has and its parent has not.
    public let bytes: UInt64
}
