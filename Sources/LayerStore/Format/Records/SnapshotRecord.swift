/// A snapshot of containerd: the part of a layer's metadata file that Docker ignores.
///
/// It is written in the same file as the layer's own record. A crash can therefore not leave one without the other.
public struct SnapshotRecord: Hashable, Sendable, Codable {
    /// The use of a snapshot.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// A container may write to it.
        case active
        /// It is only read.
        case view
        /// It does not change any more, and other snapshots may be made from it.
        case committed
    }

    /// The name that containerd has for the snapshot: any text.
    public var key: String
    /// The use of the snapshot.
    public var kind: Kind
    /// The key of the parent; empty for a snapshot that began with an empty file system.
    public var parent: String
    /// The labels that containerd has set.
    public var labels: [String: String]
    /// The time at which the snapshot was made, or committed, in nanoseconds since 1970.
    public var created: Int64
    /// The time of the last change, in nanoseconds since 1970.
    public var updated: Int64
    /// The number of bytes that the snapshot shared with its parent when it was made.
    public var inheritedBytes: UInt64
    /// The number of bytes at the commit, including the bytes of the parent; `nil` before the commit.
    public var committedBytes: UInt64?
    /// Mount options of this snapshot in addition to those of the store; `nil` for none.
    public var mountOptions: [String]?
    /// The pool's count of events at the time the snapshot was made.
    var poolEvents: PoolEventMark?
    /// Whether a write to the pool failed after the snapshot was made and before the pool was shut down.
    var hasLostWrites: Bool?
    /// Fields that a newer version may have written.
    var unknownFields = UnknownFields()

    enum CodingKeys: String, CodingKey, CaseIterable {
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
    ///   - key: The name that containerd has for the snapshot.
    ///   - kind: The use of the snapshot.
    ///   - parent: The key of the parent, or an empty text.
    ///   - labels: The labels that containerd sets.
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

extension SnapshotRecord: KeepsUnknownFields {}
