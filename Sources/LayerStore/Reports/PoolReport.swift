public import SystemPackage
public import ThinProvisioning

/// The state of a store's pool, for a person who has to decide what to do.
public struct PoolReport: Hashable, Sendable {
    /// The accesses that the pool allows its devices.
    public enum Condition: String, Hashable, Sendable, CaseIterable {
        case readWrite = "rw"
        /// Writes that need a new block wait or fail.
        case outOfDataSpace = "out_of_data_space"
        /// Nothing can be changed.
        case readOnly = "ro"
        /// The metadata could not be read or written: every layer fails.
        case failed
        /// It is not active: the kernel refuses to activate it, or nothing has tried to.
        case inactive
    }

    /// One of the two devices below the pool.
    public struct Space: Hashable, Sendable {
        /// The path of the device, or `nil` while the pool is not active.
        public let device: String?
        /// How much of it is used; `nil` when the pool does not say.
        public let usage: BlockUsage?
        /// The file behind it, if there is one.
        public let file: FileSpace?

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(device: String? = nil, usage: BlockUsage? = nil, file: FileSpace? = nil) {
            self.device = device
            self.usage = usage
            self.file = file
        }

        /// How many bytes of it the pool can really take: what is free, as far as the disk below the file goes.
        public var available: UInt64 { usage.map { file?.available(for: $0) ?? $0.freeBytes } ?? 0 }
    }

    /// The root of the store.
    public let root: FilePath
    /// The name of the pool's device.
    public let name: String
    /// The path of the pool's device, or `nil` while the pool is not active.
    public let device: String?
    /// Whether the pool is a device that was named or made of direct-lvm, and not one on the store's files or devices.
    public let isForeign: Bool
    /// Whether somebody else made the pool, and no option of the store changes what it does.
    public let isMadeElsewhere: Bool
    /// The accesses that the pool allows its devices.
    public let condition: Condition
    /// Why the kernel refuses to activate the pool; `nil` when it was not asked to.
    public let refusal: String?
    /// Whether everything waits until somebody resumes the pool.
    public let isSuspended: Bool
    /// Whether the metadata must be checked before the pool can be changed again.
    public let needsCheck: Bool
    /// Whether the pool was activated so that nothing is changed.
    public let isReadOnlyByRequest: Bool
    /// The size of a block in bytes.
    public let blockSize: UInt64
    /// The layers' data.
    public let data: Space
    /// The pool's metadata, which maps the layers' blocks to the data.
    public let metadata: Space
    /// The number of free bytes of data below which the kernel reports an event.
    public let lowWaterMark: UInt64?
    /// The share of the pool in percent that must be free to make a layer.
    public let minimumFreeSpacePercent: Int
    /// Whether a write that needs a new block fails at once when the pool is full.
    public let errorIfNoSpace: Bool
    /// Whether such writes have waited for the whole ``noSpaceTimeout``, so that they fail now.
    public let hasTimedOut: Bool
    /// Whether the pool fills a new block with zeros before a layer gets it.
    ///
    /// Without this, a reader of a layer's whole device finds the data of removed layers there.
    public let zeroesNewBlocks: Bool
    /// How many seconds such a write waits otherwise before it fails as well; 0 means for ever.
    public let noSpaceTimeout: UInt64?
    /// The handling of discards; `nil` while the pool is not active.
    public let discards: ThinPoolState.DiscardPolicy?
    /// Whether discards should go on to the data device.
    public let isPassdownWanted: Bool
    /// The files that the pool goes on using although the store does not have them any more.
    public let lostFiles: [LostPoolFile]

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        root: FilePath, name: String, device: String? = nil, isForeign: Bool, isMadeElsewhere: Bool,
        condition: Condition, refusal: String? = nil, isSuspended: Bool, needsCheck: Bool, isReadOnlyByRequest: Bool,
        blockSize: UInt64, data: Space, metadata: Space, lowWaterMark: UInt64? = nil, minimumFreeSpacePercent: Int,
        errorIfNoSpace: Bool, hasTimedOut: Bool = false, zeroesNewBlocks: Bool, noSpaceTimeout: UInt64? = nil,
        discards: ThinPoolState.DiscardPolicy? = nil, isPassdownWanted: Bool, lostFiles: [LostPoolFile] = [],
        deviceCount: Int, snapshotCount: UInt32? = nil
    ) {
        self.root = root
        self.name = name
        self.device = device
        self.isForeign = isForeign
        self.isMadeElsewhere = isMadeElsewhere
        self.condition = condition
        self.refusal = refusal
        self.isSuspended = isSuspended
        self.needsCheck = needsCheck
        self.isReadOnlyByRequest = isReadOnlyByRequest
        self.blockSize = blockSize
        self.data = data
        self.metadata = metadata
        self.lowWaterMark = lowWaterMark
        self.minimumFreeSpacePercent = minimumFreeSpacePercent
        self.errorIfNoSpace = errorIfNoSpace
        self.hasTimedOut = hasTimedOut
        self.zeroesNewBlocks = zeroesNewBlocks
        self.noSpaceTimeout = noSpaceTimeout
        self.discards = discards
        self.isPassdownWanted = isPassdownWanted
        self.lostFiles = lostFiles
        self.deviceCount = deviceCount
        self.snapshotCount = snapshotCount
    }
    /// How many thin devices the layers and the base device have.
    public let deviceCount: Int
    /// How many snapshots the pool has ever made, where a file says it; it can make ``mostSnapshots``.
    public let snapshotCount: UInt32?

    /// How many snapshots a pool can make in its life: mappings have 24 bits for the number.
    public static let mostSnapshots = SnapshotClock.end
}

/// Something about a pool that somebody has to see to.
public struct PoolProblem: Hashable, Sendable {
    /// One step towards the solution of a problem.
    public struct Step: Hashable, Sendable {
        /// The purpose of the step, or the instruction.
        public let text: String
        /// The command that does it, as it can be given to a shell.
        public let command: String?

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(_ text: String, _ command: String? = nil) {
            self.text = text
            self.command = command
        }
    }

    /// Whether everything works so far.
    public let isWarning: Bool
    /// The problem in one sentence.
    public let summary: String
    /// The steps that solve it, in this order.
    public let steps: [Step]

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(_ summary: String, _ steps: [Step], isWarning: Bool = false) {
        self.isWarning = isWarning
        self.summary = summary
        self.steps = steps
    }
}
