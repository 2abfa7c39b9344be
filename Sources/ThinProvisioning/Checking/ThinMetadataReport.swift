/// The result of a check of a pool's metadata.
public struct ThinMetadataReport: Sendable {
    /// A wrong reference count.
    public struct WrongCount: Hashable, Sendable {
        /// The block whose count it is.
        public let block: UInt64
        /// The count that the metadata has.
        public let stored: UInt32
        /// How often something refers to the block.
        public let real: UInt32

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(block: UInt64, stored: UInt32, real: UInt32) {
            self.block = block
            self.stored = stored
            self.real = real
        }
    }

    /// The pool, as its superblock says.
    public let superblock: ThinPoolSuperblock
    /// Everything that was found, the gravest first.
    public internal(set) var findings: [ThinMetadataFinding] = []
    /// The wrong counts of data blocks, in order; not more than ``mostWrongCounts``.
    public internal(set) var wrongDataCounts: [WrongCount] = []
    /// The wrong counts of metadata blocks, in order; not more than ``mostWrongCounts``.
    public internal(set) var wrongMetadataCounts: [WrongCount] = []
    /// Whether there are more wrong counts than the lists have.
    public internal(set) var hasMoreWrongCounts = false
    /// How many counts are too high for another reason than that a block which nothing uses is counted once.
    public internal(set) var overcounted: UInt64 = 0

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        superblock: ThinPoolSuperblock, findings: [ThinMetadataFinding] = [], wrongDataCounts: [WrongCount] = [],
        wrongMetadataCounts: [WrongCount] = [], hasMoreWrongCounts: Bool = false, overcounted: UInt64 = 0,
        deviceCount: Int = 0, nodeCount: Int = 0
    ) {
        self.superblock = superblock
        self.findings = findings
        self.wrongDataCounts = wrongDataCounts
        self.wrongMetadataCounts = wrongMetadataCounts
        self.hasMoreWrongCounts = hasMoreWrongCounts
        self.overcounted = overcounted
        self.deviceCount = deviceCount
        self.nodeCount = nodeCount
    }
    /// How many thin devices there are.
    public internal(set) var deviceCount = 0
    /// How many nodes of trees of mappings were read.
    public internal(set) var nodeCount = 0

    /// The most wrong counts that a report lists.
    public static let mostWrongCounts = 1 << 20

    init(_ superblock: ThinPoolSuperblock) {
        self.superblock = superblock
    }

    /// The gravest that was found; `nil` when nothing was.
    public var severity: ThinMetadataFinding.Severity? { findings.map(\.severity).max() }

    /// How many metadata blocks are free, by the superblock.
    public var freeMetadataBlocks: UInt64 {
        superblock.metadataUsage.map { $0.total - $0.used } ?? 0
    }

    /// Whether the reference counts could be checked: a snapshot of the metadata has none.
    public var hasCounts: Bool { superblock.metadataUsage != nil }

    /// Whether nothing was found that keeps the mark `needs_check` from being taken away.
    public var canClearNeedsCheck: Bool { severity.map { $0 < .minor } ?? true }

    /// Whether there are counts that are too high.
    public var hasLeaks: Bool {
        findings.contains { $0.severity == .minor && ($0.kind == .dataCounts || $0.kind == .metadataCounts) }
    }

    /// Whether blocks that are counted once, and that nothing uses, are the only thing that is wrong.
    ///
    /// `thin_check` gives such blocks back. It takes any other wrong count for damage.
    public var hasOnlyLeaks: Bool {
        severity == .minor && overcounted == 0
            && findings.allSatisfy { $0.severity < .minor || $0.kind == .dataCounts || $0.kind == .metadataCounts }
    }

    mutating func add(
        _ kind: ThinMetadataFinding.Kind, _ severity: ThinMetadataFinding.Severity, _ message: String,
        devices: [ThinDeviceID] = []
    ) {
        findings.append(ThinMetadataFinding(kind, severity, message, devices: devices))
    }
}
