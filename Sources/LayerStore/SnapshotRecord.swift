/// What containerd knows about a layer that was made for it: a part of the layer's metadata file, which Docker ignores.
///
/// It is written together with the layer's own record, so that a layer never is without it, nor it without a layer.
public struct SnapshotRecord: Hashable, Sendable, Codable {
    /// What a snapshot is for.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// Somebody may write to it.
        case active
        /// It is only read.
        case view
        /// It does not change any more, and others may be made from it.
        case committed
    }

    /// The name that containerd has for the snapshot: any text.
    public var key: String
    /// What it is for.
    public var kind: Kind
    /// The key of what it was made from; empty for one that began with an empty file system.
    public var parent: String
    /// What containerd has written on it.
    public var labels: [String: String]
    /// When it was made, or committed, in nanoseconds since 1970.
    public var created: Int64
    /// When it was last changed, in nanoseconds since 1970.
    public var updated: Int64
    /// How many bytes it had from its parent when it was made.
    public var inheritedBytes: UInt64
    /// How many bytes it had when it was committed, those of its parent included; `nil` before that.
    public var committedBytes: UInt64?
    /// The options that this snapshot is mounted with in addition to those of the store; `nil` for none.
    public var mountOptions: [String]?
    /// Where the pool's count of events stood when it was made.
    var poolEvents: PoolEventMark?
    /// Whether the pool failed writes since it was made, and was shut down after that.
    var hasLostWrites: Bool?

    enum CodingKeys: String, CodingKey {
        case key
        case kind
        case parent
        case labels
        case created = "created_ns"
        case updated = "updated_ns"
        case inheritedBytes = "inherited_bytes"
        case committedBytes = "committed_bytes"
        case mountOptions = "mount_options"
        case poolEvents = "pool_events"
        case hasLostWrites = "lost_writes"
    }

    /// Makes a record of a new snapshot.
    ///
    /// - Parameters:
    ///   - key: The name that containerd has for it.
    ///   - kind: What it is for.
    ///   - parent: The key of what it is made from, or an empty text.
    ///   - labels: What containerd writes on it.
    ///   - time: The time in nanoseconds since 1970.
    public init(key: String, kind: Kind, parent: String, labels: [String: String], time: Int64) {
        self.key = key
        self.kind = kind
        self.parent = parent
        self.labels = labels
        created = time
        updated = time
        inheritedBytes = 0
    }
}
