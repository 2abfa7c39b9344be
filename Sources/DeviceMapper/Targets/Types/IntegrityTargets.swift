/// Shows a device whose blocks are checked against a tree of hashes: the kernel's `verity.rst`.
public struct VerityTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "verity"

    /// The version of the format: 0 for Chromium OS, 1 otherwise.
    public var version: UInt64
    /// The device with the data.
    public var dataDevice: TargetDevice
    /// The device with the hashes.
    public var hashDevice: TargetDevice
    /// The size of a block of data, in bytes.
    public var dataBlockSize: UInt64
    /// The size of a block of hashes, in bytes.
    public var hashBlockSize: UInt64
    /// How many blocks of data are checked.
    public var dataBlocks: UInt64
    /// The block of the hash device, in blocks of its size, that the tree begins at.
    public var hashStart: UInt64
    /// The name of the hash, such as `sha256`.
    public var algorithm: String
    /// The hash of the top of the tree, in hexadecimal digits.
    public var rootDigest: String
    /// The salt in hexadecimal digits, or `-`.
    public var salt: String
    /// Words such as `ignore_corruption`.
    public var options: [String]

    /// Makes a target.
    public init(
        version: UInt64 = 1, dataDevice: TargetDevice, hashDevice: TargetDevice, dataBlockSize: UInt64 = 4096,
        hashBlockSize: UInt64 = 4096, dataBlocks: UInt64, hashStart: UInt64, algorithm: String, rootDigest: String,
        salt: String = "-", options: [String] = []
    ) {
        self.version = version
        self.dataDevice = dataDevice
        self.hashDevice = hashDevice
        self.dataBlockSize = dataBlockSize
        self.hashBlockSize = hashBlockSize
        self.dataBlocks = dataBlocks
        self.hashStart = hashStart
        self.algorithm = algorithm
        self.rootDigest = rootDigest
        self.salt = salt
        self.options = options
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let version = words.number(), let data = words.device(), let hash = words.device(),
            let dataBlockSize = words.number(), let hashBlockSize = words.number(), let blocks = words.number(),
            let start = words.number(), let algorithm = words.next(), let digest = words.next(),
            let salt = words.next(), let options = words.countedWords()
        else { return nil }
        self.init(
            version: version, dataDevice: data, hashDevice: hash, dataBlockSize: dataBlockSize,
            hashBlockSize: hashBlockSize, dataBlocks: blocks, hashStart: start, algorithm: algorithm,
            rootDigest: digest, salt: salt, options: options)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        let counted = options.isEmpty ? "" : " " + TargetWords.counted(options)
        return "\(version) \(dataDevice) \(hashDevice) \(dataBlockSize) \(hashBlockSize) \(dataBlocks) \(hashStart) "
            + "\(TargetWords.escaped(algorithm)) \(TargetWords.escaped(rootDigest)) \(TargetWords.escaped(salt))\(counted)"
    }
}

/// Keeps a checksum or an authentication tag for each sector: the kernel's `dm-integrity.rst`.
public struct IntegrityTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "integrity"

    /// How data and tags are written together.
    public enum Mode: String, Hashable, Sendable {
        /// Both go to a journal first.
        case journal = "J"
        /// A bitmap says which tags may be out of date after a power cut.
        case bitmap = "B"
        /// Nothing keeps them together at a power cut.
        case direct = "D"
        /// Tags are not checked, to rescue data.
        case recovery = "R"
        /// The tags lie in the device's own metadata of each sector (Linux 6.12).
        case inline = "I"
    }

    /// The device below, and the sectors that are reserved at its beginning.
    public var area: DeviceArea
    /// The bytes of a tag; `nil` takes the size of the internal hash.
    public var tagSize: UInt64?
    /// How data and tags are written together.
    public var mode: Mode
    /// Words such as `internal_hash:crc32c`; those of keyed hashes hold keys.
    public var options: [String]

    /// Makes a target.
    public init(area: DeviceArea, tagSize: UInt64?, mode: Mode, options: [String] = []) {
        self.area = area
        self.tagSize = tagSize
        self.mode = mode
        self.options = options
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let area = words.area(), let size = words.next(), size == "-" || UInt64(size) != nil,
            let mode = words.next().flatMap(Mode.init), let options = words.countedWords()
        else { return nil }
        self.init(area: area, tagSize: UInt64(size), mode: mode, options: options)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        "\(area) \(tagSize.map(String.init) ?? "-") \(mode.rawValue) \(TargetWords.counted(options))"
    }

    /// The options that have an algorithm behind the colon, and behind a second colon its key if it takes one.
    private static let keyedOptions = ["internal_hash:", "journal_crypt:", "journal_mac:"]

    /// Parameters with zeros for the digits of each key, and everything else as it is.
    static func redacted(_ parameters: String) -> String {
        parameters.split(separator: " ", omittingEmptySubsequences: false).map { word in
            guard keyedOptions.contains(where: { word.hasPrefix($0) }) else { return String(word) }
            let parts = word.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return String(word) }
            return "\(parts[0]):\(parts[1]):" + String(repeating: "0", count: parts[2].utf8.count)
        }.joined(separator: " ")
    }
}
