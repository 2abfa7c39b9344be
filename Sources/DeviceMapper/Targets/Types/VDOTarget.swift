/// Stores equal blocks once and compresses blocks: the kernel's `vdo.rst` (Linux 6.9).
public struct VDOTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "vdo"

    /// The version of the parameters, such as `V4`.
    public var version: String
    /// The device below.
    public var storageDevice: TargetDevice
    /// How much of the device is used, in blocks of 4096 bytes.
    public var storageBlocks: UInt64
    /// The smallest request that the target takes, in bytes: 512 or 4096.
    public var minimumRequest: UInt64
    /// How much of the map of blocks is kept in memory, in blocks of 4096 bytes.
    public var blockMapCacheBlocks: UInt64
    /// How many changed blocks of the map may wait before they are written.
    public var blockMapPeriod: UInt64
    /// Keys and values such as `deduplication` and `on`.
    public var options: [String]

    /// Makes a target.
    public init(
        version: String = "V4", storageDevice: TargetDevice, storageBlocks: UInt64, minimumRequest: UInt64 = 4096,
        blockMapCacheBlocks: UInt64 = 32_768, blockMapPeriod: UInt64 = 16_380, options: [String] = []
    ) {
        self.version = version
        self.storageDevice = storageDevice
        self.storageBlocks = storageBlocks
        self.minimumRequest = minimumRequest
        self.blockMapCacheBlocks = blockMapCacheBlocks
        self.blockMapPeriod = blockMapPeriod
        self.options = options
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let version = words.next(), let device = words.device(), let blocks = words.number(),
            let request = words.number(), let cache = words.number(), let period = words.number()
        else { return nil }
        self.init(
            version: version, storageDevice: device, storageBlocks: blocks, minimumRequest: request,
            blockMapCacheBlocks: cache, blockMapPeriod: period, options: words.rest())
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        ([
            "\(TargetWords.escaped(version)) \(storageDevice) \(storageBlocks) \(minimumRequest) \(blockMapCacheBlocks)",
            "\(blockMapPeriod)",
        ] + options.map(TargetWords.escaped)).joined(separator: " ")
    }
}
