/// A thin pool: blocks of a data device that thin devices share, with their mappings on a metadata device.
///
/// The kernel's `thin-provisioning.rst` describes it.
public struct ThinPoolTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "thin-pool"

    /// The features of a pool that differ from the kernel's defaults.
    public struct Features: OptionSet, Hashable, Sendable {
        /// The features as bits.
        public let rawValue: UInt8

        /// Makes features from bits.
        public init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        /// New blocks are not filled with zeros first.
        public static let skipBlockZeroing = Features(rawValue: 1)
        /// Discards are ignored altogether.
        public static let ignoreDiscard = Features(rawValue: 2)
        /// Discards free blocks of the pool and are not passed on to the data device.
        public static let noDiscardPassdown = Features(rawValue: 4)
        /// Nothing can be changed.
        public static let readOnly = Features(rawValue: 8)
        /// Writes fail at once when the pool is full, instead of waiting for more space.
        public static let errorIfNoSpace = Features(rawValue: 16)

        /// The kernel's words, in the order in which it prints them.
        static let words: [(feature: Features, word: String)] = [
            (.skipBlockZeroing, "skip_block_zeroing"), (.ignoreDiscard, "ignore_discard"),
            (.noDiscardPassdown, "no_discard_passdown"), (.readOnly, "read_only"),
            (.errorIfNoSpace, "error_if_no_space"),
        ]
    }

    /// The device of the mappings.
    public var metadataDevice: TargetDevice
    /// The device of the blocks.
    public var dataDevice: TargetDevice
    /// The length of a block: 128 to 2,097,152 sectors, a multiple of 128.
    ///
    /// It cannot change later.
    public var blockSize: Sectors
    /// The number of free blocks below which the pool has an event.
    ///
    /// The pool has it once, and again after it was resumed, as a growth does it.
    public var lowWaterMark: UInt64
    /// The features in which the pool differs from the kernel's defaults.
    public var features: Features

    /// Makes a target.
    public init(
        metadataDevice: TargetDevice, dataDevice: TargetDevice, blockSize: Sectors, lowWaterMark: UInt64,
        features: Features = []
    ) {
        self.metadataDevice = metadataDevice
        self.dataDevice = dataDevice
        self.blockSize = blockSize
        self.lowWaterMark = lowWaterMark
        self.features = features
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let metadata = words.device(), let data = words.device(), let blockSize = words.sectors(),
            let lowWaterMark = words.number(), let featureWords = words.countedWords()
        else { return nil }
        var features: Features = []
        for word in featureWords {
            guard let known = Features.words.first(where: { $0.word == word }) else { return nil }
            features.insert(known.feature)
        }
        self.init(
            metadataDevice: metadata, dataDevice: data, blockSize: blockSize, lowWaterMark: lowWaterMark,
            features: features)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        let words = Features.words.filter { features.contains($0.feature) }.map(\.word)
        return (["\(metadataDevice) \(dataDevice) \(blockSize) \(lowWaterMark) \(words.count)"] + words)
            .joined(separator: " ")
    }
}

/// A thin device of a pool: the kernel's `thin-provisioning.rst`.
public struct ThinTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "thin"

    /// The pool.
    public var pool: TargetDevice
    /// The number of the thin device within the pool, below 2^24.
    public var identifier: UInt64
    /// The device that is read where the thin device has no block of its own.
    public var externalOrigin: TargetDevice?

    /// Makes a target.
    public init(pool: TargetDevice, identifier: UInt64, externalOrigin: TargetDevice? = nil) {
        self.pool = pool
        self.identifier = identifier
        self.externalOrigin = externalOrigin
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let pool = words.device(), let identifier = words.number() else { return nil }
        self.init(pool: pool, identifier: identifier, externalOrigin: words.device())
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        ["\(pool) \(identifier)", externalOrigin?.description].compactMap(\.self).joined(separator: " ")
    }
}
