public import DeviceMapper

/// The status of a thin pool.
public enum ThinPoolStatus: Hashable, Sendable {
    /// The pool answers.
    case available(ThinPoolState)
    /// The pool has failed, and with it every thin device: its metadata could not be read or written.
    case failed

    /// Reads the kernel's status line of a thin pool.
    ///
    /// - Parameters:
    ///   - text: The line's text behind the target's name.
    ///   - blockSize: The length of a block of the pool, which the line does not have.
    /// - Throws: `DeviceMapperError.Code.malformedAnswer` when the text is no such line.
    public init(parsing text: String, blockSize: Sectors) throws(DeviceMapperError) {
        let words = text.split(separator: " ")
        if let first = words.first, first == "Fail" || first == "Error" {
            self = .failed
            return
        }
        guard let state = ThinPoolState(words: words, blockSize: blockSize) else {
            throw DeviceMapperError(.malformedAnswer, detail: "“\(text)” is no status of a thin pool")
        }
        self = .available(state)
    }
}

/// The state of a pool that answers, from its status line.
public struct ThinPoolState: Hashable, Sendable {
    /// The accesses that a pool allows its devices.
    public enum Mode: String, Hashable, Sendable {
        case readWrite = "rw"
        /// Nothing can be changed: the pool was made so, its metadata is full, or writing its metadata failed.
        case readOnly = "ro"
        /// Writes that need a new block wait or fail until there is space.
        case outOfDataSpace = "out_of_data_space"
    }

    /// The handling of discards.
    public enum DiscardPolicy: String, Hashable, Sendable {
        case ignored = "ignore_discard"
        /// It frees blocks of the pool and goes on to the data device.
        case passedDown = "discard_passdown"
        /// It frees blocks of the pool only.
        case notPassedDown = "no_discard_passdown"
    }

    /// A number that programs count their own changes with; the kernel never changes it by itself.
    public let transactionID: UInt64
    /// The use of the metadata device, in blocks of 4096 bytes.
    ///
    /// A reserve of the kernel's counts as used.
    public let metadata: BlockUsage
    /// The use of the data device, in blocks of the pool.
    public let data: BlockUsage
    /// The metadata block of the snapshot that is held of the metadata, if one is.
    public let heldMetadataRoot: UInt64?
    /// The accesses that the pool allows its devices.
    public let mode: Mode
    /// The handling of discards.
    public let discards: DiscardPolicy
    /// Whether a write fails at once when the pool is full, instead of waiting.
    public let errorIfNoSpace: Bool
    /// Whether the metadata must be checked before the pool can be changed again.
    public let needsCheck: Bool
    /// The number of free metadata blocks below which the pool has an event; `nil` before kernel 4.19.
    public let metadataLowWaterMark: UInt64?

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        transactionID: UInt64, metadata: BlockUsage, data: BlockUsage, heldMetadataRoot: UInt64? = nil, mode: Mode,
        discards: DiscardPolicy, errorIfNoSpace: Bool, needsCheck: Bool, metadataLowWaterMark: UInt64? = nil
    ) {
        self.transactionID = transactionID
        self.metadata = metadata
        self.data = data
        self.heldMetadataRoot = heldMetadataRoot
        self.mode = mode
        self.discards = discards
        self.errorIfNoSpace = errorIfNoSpace
        self.needsCheck = needsCheck
        self.metadataLowWaterMark = metadataLowWaterMark
    }

    /// Reads the words of a status line; words that a newer kernel appends are left alone.
    init?(words: [Substring], blockSize: Sectors) {
        guard words.count >= 7, let transactionID = UInt64(words[0]),
            let metadata = BlockUsage(words[1], bytesPerBlock: BlockUsage.metadataBlockSize),
            let data = BlockUsage(words[2], bytesPerBlock: blockSize.bytes),
            let mode = Mode(rawValue: String(words[4])), let discards = DiscardPolicy(rawValue: String(words[5]))
        else { return nil }
        self.transactionID = transactionID
        self.metadata = metadata
        self.data = data
        heldMetadataRoot = UInt64(words[3])
        self.mode = mode
        self.discards = discards
        errorIfNoSpace = words[6] == "error_if_no_space"
        needsCheck = words.count > 7 && words[7] == "needs_check"
        metadataLowWaterMark = words.count > 8 ? UInt64(words[8]) : nil
    }
}

/// How much of a device is used, in blocks of one size.
public struct BlockUsage: Hashable, Sendable {
    /// The size of a block of every pool's metadata, in bytes.
    public static let metadataBlockSize: UInt64 = 4096

    /// How many blocks are used.
    public let used: UInt64
    /// How many there are.
    public let total: UInt64
    /// The size of a block in bytes.
    public let bytesPerBlock: UInt64

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(used: UInt64, total: UInt64, bytesPerBlock: UInt64) {
        self.used = used
        self.total = total
        self.bytesPerBlock = bytesPerBlock
    }

    /// Reads `used/total`.
    init?(_ text: Substring, bytesPerBlock: UInt64) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let used = UInt64(parts[0]), let total = UInt64(parts[1]),
            !total.multipliedReportingOverflow(by: bytesPerBlock).overflow, used <= total
        else { return nil }
        self.used = used
        self.total = total
        self.bytesPerBlock = bytesPerBlock
    }

    /// How many blocks are free.
    public var free: UInt64 { total - used }
    /// How many bytes are used.
    public var usedBytes: UInt64 { used * bytesPerBlock }
    /// The share that is used, from 0 to 1.
    public var usedShare: Double { total == 0 ? 0 : Double(used) / Double(total) }
    /// How many bytes there are.
    public var totalBytes: UInt64 { total * bytesPerBlock }
    /// How many bytes are free.
    public var freeBytes: UInt64 { free * bytesPerBlock }
}

/// The status of a thin device.
public enum ThinDeviceStatus: TypedStatus {
    /// The targets that have this status.
    public static let types = [ThinTarget.type]

    /// The device works.
    ///
    /// - Parameters:
    ///   - mapped: How much of it has blocks in the pool, those that it shares with other devices included.
    ///   - highest: The highest sector that has one; `nil` for a device that nothing was ever written to.
    case available(mapped: Sectors, highest: Sectors?)
    /// The device has failed together with its pool.
    case failed

    /// Reads the kernel's status line of a thin device.
    ///
    /// - Throws: `DeviceMapperError.Code.malformedAnswer` when the text is no such line.
    public init(parsing text: String) throws(DeviceMapperError) {
        var words = TargetWords(text)
        guard let status = Self(&words) else {
            throw DeviceMapperError(.malformedAnswer, detail: "“\(text)” is no status of a thin device")
        }
        self = status
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let first = words.next() else { return nil }
        let second = words.next()
        if first == "Fail" || first == "Error" || first == "-" && second == nil {
            self = .failed
            return
        }
        guard let mapped = UInt64(first), let second else { return nil }
        self = .available(mapped: Sectors(mapped), highest: UInt64(second).map { Sectors($0) })
    }
}
