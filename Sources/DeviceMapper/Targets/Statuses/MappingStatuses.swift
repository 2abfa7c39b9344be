/// The status of a ``StripedTarget``.
public struct StripedStatus: TypedStatus {
    /// The targets that have this status.
    public static let types = [StripedTarget.type]

    /// The devices.
    public let devices: [TargetDevice]
    /// For each device, whether no request to it has failed.
    public let isAlive: [Bool]

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let count = words.number(), let devices = words.words(count), words.number() == 1,
            let health = words.next(), health.utf8.count == devices.count
        else { return nil }
        self.devices = devices.map { TargetDevice($0) }
        isAlive = health.utf8.map { $0 == UInt8(ascii: "A") }
    }
}

/// The status of a ``SnapshotTarget`` or a ``SnapshotMergeTarget``.
public enum SnapshotStatus: TypedStatus {
    /// The targets that have this status.
    public static let types = [SnapshotTarget.type, SnapshotMergeTarget.type]

    /// How much of the device of changes is used, and how much of that is for the snapshot's own records.
    case active(allocated: Sectors, total: Sectors, metadata: Sectors?)
    /// The snapshot is lost, because its device of changes failed or was full.
    case invalid
    /// The snapshot is lost, because its device of changes was full: with ``SnapshotTarget/Persistence/persistentWithOverflow``.
    case overflow
    /// The changes could not be brought back.
    case mergeFailed
    /// The kernel cannot tell.
    case unknown

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        switch words.first {
        case "Invalid": self = .invalid
        case "Overflow": self = .overflow
        case "Merge": self = .mergeFailed
        case "Unknown": self = .unknown
        default:
            guard let share = words.share() else { return nil }
            self = .active(
                allocated: Sectors(share.used), total: Sectors(share.total), metadata: words.sectors())
        }
    }
}

/// The status of a ``DustTarget``.
public struct DustStatus: TypedStatus {
    /// The targets that have this status.
    public static let types = [DustTarget.type]

    /// The device below.
    public let device: TargetDevice
    /// Whether a read of a bad block fails; otherwise bad blocks are only remembered.
    public let failsReads: Bool
    /// Whether the kernel's log says little about bad blocks; `nil` before Linux 5.3.
    public let isQuiet: Bool?

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let device = words.device(), let mode = words.next(),
            ["bypass", "fail_read_on_bad_block"].contains(mode)
        else { return nil }
        self.device = device
        failsReads = mode != "bypass"
        isQuiet = words.next().map { $0 == "quiet" }
    }
}

/// The status of a ``LogWritesTarget``.
public struct LogWritesStatus: TypedStatus {
    /// The targets that have this status.
    public static let types = [LogWritesTarget.type]

    /// How many requests the log has.
    public let entries: UInt64
    /// The highest sector of the log that has been given to a request.
    public let highestSector: Sectors
    /// Whether logging has stopped, because the log is full or failed.
    public let isStopped: Bool

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let entries = words.number(), let highest = words.sectors() else { return nil }
        self.entries = entries
        highestSector = highest
        isStopped = words.next() == "logging_disabled"
    }
}
