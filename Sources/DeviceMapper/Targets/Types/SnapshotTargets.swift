/// A copy-on-write snapshot of an origin, not of a thin pool: the kernel's `snapshot.rst`.
public struct SnapshotTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "snapshot"

    /// Whether the exceptions survive a reboot.
    public enum Persistence: String, Hashable, Sendable {
        case transient = "N"
        case persistent = "P"
        /// Persistent, and the status tells an overflow from other failures.
        case persistentWithOverflow = "PO"
    }

    /// The device that the snapshot is of.
    public var origin: TargetDevice
    /// The device that takes the changed chunks.
    public var cowDevice: TargetDevice
    /// Whether the exceptions survive a reboot.
    public var persistence: Persistence
    /// The length of a chunk.
    public var chunk: Sectors
    /// Words such as `discard_zeroes_cow`.
    public var features: [String]

    /// Makes a target.
    public init(
        origin: TargetDevice, cowDevice: TargetDevice, persistence: Persistence, chunk: Sectors,
        features: [String] = []
    ) {
        self.origin = origin
        self.cowDevice = cowDevice
        self.persistence = persistence
        self.chunk = chunk
        self.features = features
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let origin = words.device(), let cowDevice = words.device(),
            let persistence = words.next().flatMap(Persistence.init), let chunk = words.sectors(),
            let features = words.countedWords()
        else { return nil }
        self.init(origin: origin, cowDevice: cowDevice, persistence: persistence, chunk: chunk, features: features)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        let counted = features.isEmpty ? "" : " " + TargetWords.counted(features)
        return "\(origin) \(cowDevice) \(persistence.rawValue) \(chunk)\(counted)"
    }
}

/// Brings the changes of a snapshot back into its origin: the kernel's `snapshot.rst`.
public struct SnapshotMergeTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "snapshot-merge"

    /// The snapshot, with the parameters that it has been used with.
    public var snapshot: SnapshotTarget

    /// Makes a target.
    public init(_ snapshot: SnapshotTarget) {
        self.snapshot = snapshot
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let snapshot = SnapshotTarget(&words) else { return nil }
        self.init(snapshot)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String { snapshot.parameters }
}

/// The device that snapshots have been taken of: the kernel's `snapshot.rst`.
public struct SnapshotOriginTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "snapshot-origin"

    /// The device below.
    public var device: TargetDevice

    /// Makes a target.
    public init(device: TargetDevice) {
        self.device = device
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let device = words.device() else { return nil }
        self.init(device: device)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String { device.description }
}
