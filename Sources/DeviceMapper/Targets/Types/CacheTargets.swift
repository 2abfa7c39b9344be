/// Keeps the blocks of a slow device that are used most on a fast one: the kernel's `cache.rst` and `cache-policies.rst`.
public struct CacheTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "cache"

    /// The device that says which blocks are in the cache.
    public var metadataDevice: TargetDevice
    /// The fast device.
    public var cacheDevice: TargetDevice
    /// The slow device.
    public var originDevice: TargetDevice
    /// The length of a block: 64 to 2,097,152 sectors, a multiple of 64.
    public var blockSize: Sectors
    /// Words such as `writethrough` and `metadata2`.
    public var features: [String]
    /// The policy that chooses the blocks, such as `smq`.
    public var policy: String
    /// Keys and values for the policy.
    public var policyArguments: [String]

    /// Makes a target.
    public init(
        metadataDevice: TargetDevice, cacheDevice: TargetDevice, originDevice: TargetDevice, blockSize: Sectors,
        features: [String] = [], policy: String = "default", policyArguments: [String] = []
    ) {
        self.metadataDevice = metadataDevice
        self.cacheDevice = cacheDevice
        self.originDevice = originDevice
        self.blockSize = blockSize
        self.features = features
        self.policy = policy
        self.policyArguments = policyArguments
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let metadata = words.device(), let cache = words.device(), let origin = words.device(),
            let blockSize = words.sectors(), let features = words.countedWords(), let policy = words.next(),
            let arguments = words.countedWords()
        else { return nil }
        self.init(
            metadataDevice: metadata, cacheDevice: cache, originDevice: origin, blockSize: blockSize,
            features: features, policy: policy, policyArguments: arguments)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        "\(metadataDevice) \(cacheDevice) \(originDevice) \(blockSize) \(TargetWords.counted(features)) "
            + "\(TargetWords.escaped(policy)) \(TargetWords.counted(policyArguments))"
    }
}

/// Takes the writes of a slow device on a fast one: the kernel's `writecache.rst`.
public struct WriteCacheTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "writecache"

    /// The kind of the fast device.
    public enum CacheKind: String, Hashable, Sendable {
        case persistentMemory = "p"
        case disk = "s"
    }

    /// The kind of the fast device.
    public var kind: CacheKind
    /// The slow device.
    public var originDevice: TargetDevice
    /// The fast device.
    public var cacheDevice: TargetDevice
    /// The size of a block in bytes: a power of two of 512 to a page's size.
    public var blockSize: UInt64
    /// Words such as `high_watermark` and the number behind it.
    public var options: [String]

    /// Makes a target.
    public init(
        kind: CacheKind, originDevice: TargetDevice, cacheDevice: TargetDevice, blockSize: UInt64 = 4096,
        options: [String] = []
    ) {
        self.kind = kind
        self.originDevice = originDevice
        self.cacheDevice = cacheDevice
        self.blockSize = blockSize
        self.options = options
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let kind = words.next().flatMap(CacheKind.init), let origin = words.device(), let cache = words.device(),
            let blockSize = words.number(), let options = words.countedWords()
        else { return nil }
        self.init(kind: kind, originDevice: origin, cacheDevice: cache, blockSize: blockSize, options: options)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        "\(kind.rawValue) \(originDevice) \(cacheDevice) \(blockSize) \(TargetWords.counted(options))"
    }
}
