/// Delays requests, each kind by a time of its own, and may send each kind to another device: the kernel's `delay.rst`.
public struct DelayTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "delay"

    /// One kind's device and delay.
    public struct Path: Hashable, Sendable {
        /// The device below.
        public var device: TargetDevice
        /// The first sector that is used of it.
        public var start: Sectors
        /// The delay in milliseconds.
        public var milliseconds: UInt64

        /// Makes a path.
        public init(device: TargetDevice, start: Sectors, milliseconds: UInt64) {
            self.device = device
            self.start = start
            self.milliseconds = milliseconds
        }

        init?(_ words: inout TargetWords) {
            guard let device = words.device(), let start = words.sectors(), let milliseconds = words.number() else {
                return nil
            }
            self.init(device: device, start: start, milliseconds: milliseconds)
        }
    }

    /// For reads.
    public var reads: Path
    /// For writes; `nil` takes the path for reads.
    public var writes: Path?
    /// For flushes; `nil` takes the path for writes.
    public var flushes: Path?

    /// Makes a target.
    public init(reads: Path, writes: Path? = nil, flushes: Path? = nil) {
        self.reads = reads
        self.writes = writes
        self.flushes = flushes
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let reads = Path(&words) else { return nil }
        self.init(reads: reads)
        if words.isEmpty { return }
        writes = Path(&words)
        if writes == nil { return nil }
        if words.isEmpty { return }
        flushes = Path(&words)
        if flushes == nil { return nil }
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        // The kernel tells the paths apart by their order alone.
        [reads, writes ?? flushes.map { _ in reads }, flushes].compactMap(\.self)
            .map { "\($0.device) \($0.start) \($0.milliseconds)" }.joined(separator: " ")
    }
}

/// Works and fails in turns, to test the programs that use it: the kernel's `dm-flakey.rst`.
public struct FlakeyTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "flakey"

    /// The device below.
    public var device: TargetDevice
    /// The first sector that is used of it.
    public var start: Sectors
    /// How many seconds it works.
    public var upSeconds: UInt64
    /// How many seconds it fails.
    public var downSeconds: UInt64
    /// The words that say how it fails, such as `error_writes`; none fails everything.
    public var features: [String]

    /// Makes a target.
    public init(
        device: TargetDevice, start: Sectors, upSeconds: UInt64, downSeconds: UInt64, features: [String] = []
    ) {
        self.device = device
        self.start = start
        self.upSeconds = upSeconds
        self.downSeconds = downSeconds
        self.features = features
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let device = words.device(), let start = words.sectors(), let up = words.number(),
            let down = words.number(), let features = words.countedWords()
        else { return nil }
        self.init(device: device, start: start, upSeconds: up, downSeconds: down, features: features)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        "\(device) \(start) \(upSeconds) \(downSeconds) \(TargetWords.counted(features))"
    }
}

/// Fails to read the sectors that messages name, to test the programs that use it: the kernel's `dm-dust.rst`.
public struct DustTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "dust"

    /// The device below, and the first sector that is used of it.
    public var area: DeviceArea
    /// The size of a block that can be bad, in bytes: a power of two, 512 at least.
    public var blockSize: UInt64

    /// Makes a target.
    public init(area: DeviceArea, blockSize: UInt64) {
        self.area = area
        self.blockSize = blockSize
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let area = words.area(), let blockSize = words.number() else { return nil }
        self.init(area: area, blockSize: blockSize)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String { "\(area) \(blockSize)" }
}

/// Writes down every request on a second device, to test file systems against power cuts: the kernel's `log-writes.rst`.
public struct LogWritesTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "log-writes"

    /// The device below.
    public var device: TargetDevice
    /// The device that takes the log.
    public var logDevice: TargetDevice

    /// Makes a target.
    public init(device: TargetDevice, logDevice: TargetDevice) {
        self.device = device
        self.logDevice = logDevice
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let device = words.device(), let logDevice = words.device() else { return nil }
        self.init(device: device, logDevice: logDevice)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String { "\(device) \(logDevice)" }
}
