/// The status of a ``CacheTarget``: the kernel's `cache.rst`.
public enum CacheStatus: TypedStatus {
    /// The targets that have this status.
    public static let types = [CacheTarget.type]

    /// The cache works, or can be read at least.
    case available(CacheState)
    /// The cache has failed.
    case failed

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        if words.saysFailed {
            self = .failed
            return
        }
        guard let state = CacheState(&words) else { return nil }
        self = .available(state)
    }
}

/// The state of a cache that has not failed.
public struct CacheState: Hashable, Sendable {
    /// Requests that found their block in the cache, and those that did not.
    public struct Requests: Hashable, Sendable {
        /// Those that found it.
        public let hits: UInt64
        /// Those that did not.
        public let misses: UInt64

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(hits: UInt64, misses: UInt64) {
            self.hits = hits
            self.misses = misses
        }
    }

    /// The size of a block of the metadata.
    public let metadataBlockSize: Sectors
    /// The use of the metadata, in its blocks.
    public let metadata: Share
    /// The length of a block of the cache.
    public let blockSize: Sectors
    /// The use of the fast device, in blocks of the cache.
    public let cache: Share
    /// Reads.
    public let reads: Requests
    /// Writes.
    public let writes: Requests
    /// How many blocks have left the cache.
    public let demotions: UInt64
    /// How many blocks have come into the cache.
    public let promotions: UInt64
    /// How many blocks of the cache are newer than on the slow device.
    public let dirty: UInt64
    /// Words such as `writethrough`.
    public let features: [String]
    /// Keys and values that hold for all policies.
    public let coreArguments: [String]
    /// The policy.
    public let policy: String
    /// Keys and values of the policy.
    public let policyArguments: [String]
    /// Whether nothing can be changed any more: the metadata could not be written.
    public let isReadOnly: Bool
    /// Whether the metadata must be checked before the cache is used again.
    public let needsCheck: Bool

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        metadataBlockSize: Sectors, metadata: Share, blockSize: Sectors, cache: Share, reads: Requests,
        writes: Requests, demotions: UInt64, promotions: UInt64, dirty: UInt64, features: [String] = [],
        coreArguments: [String] = [], policy: String, policyArguments: [String] = [], isReadOnly: Bool, needsCheck: Bool
    ) {
        self.metadataBlockSize = metadataBlockSize
        self.metadata = metadata
        self.blockSize = blockSize
        self.cache = cache
        self.reads = reads
        self.writes = writes
        self.demotions = demotions
        self.promotions = promotions
        self.dirty = dirty
        self.features = features
        self.coreArguments = coreArguments
        self.policy = policy
        self.policyArguments = policyArguments
        self.isReadOnly = isReadOnly
        self.needsCheck = needsCheck
    }

    init?(_ words: inout TargetWords) {
        guard let metadataBlockSize = words.sectors(), let metadata = words.share(), let blockSize = words.sectors(),
            let cache = words.share(), let readHits = words.number(), let readMisses = words.number(),
            let writeHits = words.number(), let writeMisses = words.number(), let demotions = words.number(),
            let promotions = words.number(), let dirty = words.number(), let features = words.countedWords(),
            let coreArguments = words.countedWords(), let policy = words.next(),
            let policyArguments = words.countedWords()
        else { return nil }
        let isReadOnly = words.next() == "ro"
        self.init(
            metadataBlockSize: metadataBlockSize, metadata: metadata, blockSize: blockSize, cache: cache,
            reads: Requests(hits: readHits, misses: readMisses), writes: Requests(hits: writeHits, misses: writeMisses),
            demotions: demotions, promotions: promotions, dirty: dirty, features: features,
            coreArguments: coreArguments, policy: policy, policyArguments: policyArguments, isReadOnly: isReadOnly,
            needsCheck: words.next() == "needs_check")
    }
}

/// The status of a ``WriteCacheTarget``: the kernel's `writecache.rst`.
public struct WriteCacheStatus: TypedStatus {
    /// The targets that have this status.
    public static let types = [WriteCacheTarget.type]

    /// The error number with which the cache failed; 0 for none.
    public let errorNumber: UInt64
    /// How many blocks the cache has.
    public let blocks: UInt64
    /// How many of them are free.
    public let freeBlocks: UInt64
    /// How many of them are on the way to the slow device.
    public let blocksUnderWriteback: UInt64
    /// Counts of requests, in the order of the kernel's page; empty before Linux 5.15.
    public let counters: [UInt64]

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let error = words.number(), let blocks = words.number(), let free = words.number(),
            let writeback = words.number()
        else { return nil }
        errorNumber = error
        self.blocks = blocks
        freeBlocks = free
        blocksUnderWriteback = writeback
        counters = words.rest().compactMap { UInt64($0) }
    }
}

/// The status of a ``CloneTarget``: the kernel's `dm-clone.rst`.
public enum CloneStatus: TypedStatus {
    /// The targets that have this status.
    public static let types = [CloneTarget.type]

    /// The copy works, or can be read at least.
    case available(CloneState)
    /// The copy has failed.
    case failed

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        if words.saysFailed {
            self = .failed
            return
        }
        guard let state = CloneState(&words) else { return nil }
        self = .available(state)
    }
}

/// The state of a copy that has not failed.
public struct CloneState: Hashable, Sendable {
    /// The size of a block of the metadata.
    public let metadataBlockSize: Sectors
    /// The use of the metadata, in its blocks.
    public let metadata: Share
    /// The length of a region.
    public let region: Sectors
    /// How many regions are copied.
    public let hydrated: Share
    /// How many regions are being copied.
    public let hydrating: UInt64
    /// Words such as `no_hydration`.
    public let features: [String]
    /// Keys and values such as `hydration_threshold` and its number.
    public let coreArguments: [String]
    /// Whether nothing can be changed any more: the metadata could not be written.
    public let isReadOnly: Bool

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        metadataBlockSize: Sectors, metadata: Share, region: Sectors, hydrated: Share, hydrating: UInt64,
        features: [String] = [], coreArguments: [String] = [], isReadOnly: Bool
    ) {
        self.metadataBlockSize = metadataBlockSize
        self.metadata = metadata
        self.region = region
        self.hydrated = hydrated
        self.hydrating = hydrating
        self.features = features
        self.coreArguments = coreArguments
        self.isReadOnly = isReadOnly
    }

    init?(_ words: inout TargetWords) {
        guard let metadataBlockSize = words.sectors(), let metadata = words.share(), let region = words.sectors(),
            let hydrated = words.share(), let hydrating = words.number(), let features = words.countedWords(),
            let coreArguments = words.countedWords()
        else { return nil }
        self.init(
            metadataBlockSize: metadataBlockSize, metadata: metadata, region: region, hydrated: hydrated,
            hydrating: hydrating, features: features, coreArguments: coreArguments, isReadOnly: words.next() == "ro")
    }
}

/// The status of an ``EraTarget``: the kernel's `era.rst`.
public enum EraStatus: TypedStatus {
    /// The targets that have this status.
    public static let types = [EraTarget.type]

    /// The use of the metadata in its blocks, the era, and the metadata block of the snapshot that is held of it.
    case available(metadataBlockSize: Sectors, metadata: Share, era: UInt64, heldMetadataRoot: UInt64?)
    /// The target has failed.
    case failed

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        if words.saysFailed {
            self = .failed
            return
        }
        guard let blockSize = words.sectors(), let metadata = words.share(), let era = words.number(),
            let root = words.next()
        else { return nil }
        self = .available(metadataBlockSize: blockSize, metadata: metadata, era: era, heldMetadataRoot: UInt64(root))
    }
}

/// The status of a ``VDOTarget``: the kernel's `vdo.rst`.
public struct VDOStatus: TypedStatus {
    /// The targets that have this status.
    public static let types = [VDOTarget.type]

    /// The device below.
    public let device: TargetDevice
    /// Such as `normal`, `recovering` and `read-only`.
    public let mode: String
    /// Whether the target goes through its journal after a crash.
    public let isRecovering: Bool
    /// The state of the index of equal blocks, such as `online`.
    public let index: String
    /// Whether new blocks are compressed.
    public let compresses: Bool
    /// The use of the device below, in blocks of 4096 bytes.
    public let blocks: Share

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let device = words.device(), let mode = words.next(), let recovery = words.next(),
            let index = words.next(), let compression = words.next(), let used = words.number(),
            let total = words.number()
        else { return nil }
        self.device = device
        self.mode = mode
        isRecovering = recovery == "recovering"
        self.index = index
        compresses = compression == "online"
        blocks = Share(used: used, total: total)
    }
}
