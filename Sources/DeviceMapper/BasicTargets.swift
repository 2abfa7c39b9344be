/// Maps a segment onto a device, from a sector on.
public struct LinearTarget: Hashable, Sendable {
    /// The device below.
    public var device: TargetDevice
    /// The first sector that is used of it.
    public var start: Sectors

    /// Makes a target.
    public init(device: TargetDevice, start: Sectors) {
        self.device = device
        self.start = start
    }

    init?(_ words: inout TargetWords) {
        guard let device = words.device(), let start = words.sectors() else { return nil }
        self.init(device: device, start: start)
    }

    var parameters: String { "\(device) \(start)" }
}

/// Distributes a segment over several devices in chunks.
public struct StripedTarget: Hashable, Sendable {
    /// The length of a chunk.
    public var chunk: Sectors
    /// The devices with the first sector that is used of each.
    public var stripes: [LinearTarget]

    /// Makes a target.
    public init(chunk: Sectors, stripes: [LinearTarget]) {
        self.chunk = chunk
        self.stripes = stripes
    }

    init?(_ words: inout TargetWords) {
        guard let count = words.number(), let chunk = words.sectors(), count <= UInt64(words.count / 2) else {
            return nil
        }
        self.init(chunk: chunk, stripes: [])
        for _ in 0..<count {
            guard let stripe = LinearTarget(&words) else { return nil }
            stripes.append(stripe)
        }
    }

    var parameters: String {
        (["\(stripes.count)", "\(chunk)"] + stripes.map(\.parameters)).joined(separator: " ")
    }
}

/// Delays requests, each kind by a time of its own, and may send each kind to another device.
public struct DelayTarget: Hashable, Sendable {
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

    init?(_ words: inout TargetWords) {
        guard let reads = Path(&words) else { return nil }
        self.init(reads: reads)
        if words.isEmpty { return }
        writes = Path(&words)
        if writes == nil { return nil }
        if words.isEmpty { return }
        flushes = Path(&words)
        if flushes == nil { return nil }
    }

    var parameters: String {
        // The kernel tells the paths apart by their order alone.
        [reads, writes ?? flushes.map { _ in reads }, flushes].compactMap(\.self)
            .map { "\($0.device) \($0.start) \($0.milliseconds)" }.joined(separator: " ")
    }
}

/// Works and fails in turns, to test what stands on it.
public struct FlakeyTarget: Hashable, Sendable {
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

    init?(_ words: inout TargetWords) {
        guard let device = words.device(), let start = words.sectors(), let up = words.number(),
            let down = words.number(), let features = words.countedWords()
        else { return nil }
        self.init(device: device, start: start, upSeconds: up, downSeconds: down, features: features)
    }

    var parameters: String {
        (["\(device) \(start) \(upSeconds) \(downSeconds) \(features.count)"] + features.map(TargetWords.escaped))
            .joined(separator: " ")
    }
}

/// A copy-on-write snapshot of an origin (dm-snapshot, not of a thin pool).
public struct SnapshotTarget: Hashable, Sendable {
    /// Whether the exceptions survive a reboot.
    public enum Persistence: String, Hashable, Sendable {
        case transient = "N"
        case persistent = "P"
        /// Persistent, and the status tells an overflow from other failures.
        case persistentWithOverflow = "PO"
    }

    /// The device that the snapshot is of.
    public var origin: TargetDevice
    /// The device that takes the changed chunks.
    public var exceptionStore: TargetDevice
    /// Whether the exceptions survive a reboot.
    public var persistence: Persistence
    /// The length of a chunk.
    public var chunk: Sectors
    /// Words such as `discard_zeroes_cow`.
    public var features: [String]

    /// Makes a target.
    public init(
        origin: TargetDevice, exceptionStore: TargetDevice, persistence: Persistence, chunk: Sectors,
        features: [String] = []
    ) {
        self.origin = origin
        self.exceptionStore = exceptionStore
        self.persistence = persistence
        self.chunk = chunk
        self.features = features
    }

    init?(_ words: inout TargetWords) {
        guard let origin = words.device(), let store = words.device(),
            let persistence = words.next().flatMap(Persistence.init), let chunk = words.sectors(),
            let features = words.countedWords()
        else { return nil }
        self.init(origin: origin, exceptionStore: store, persistence: persistence, chunk: chunk, features: features)
    }

    var parameters: String {
        let counted = features.isEmpty ? [] : ["\(features.count)"] + features.map(TargetWords.escaped)
        return (["\(origin) \(exceptionStore) \(persistence.rawValue) \(chunk)"] + counted).joined(separator: " ")
    }
}

/// Encrypts a device.
public struct CryptTarget: Hashable, Sendable {
    /// The cipher, chaining mode and initialisation vector.
    public var cipher: String
    /// The key in hexadecimal digits, a reference to a keyring that begins with `:`, or `-`.
    public var key: String
    /// What is added to the sector number for the initialisation vector.
    public var vectorOffset: UInt64
    /// The device below.
    public var device: TargetDevice
    /// The first sector that is used of it.
    public var start: Sectors
    /// Words such as `allow_discards`.
    public var options: [String]

    /// Makes a target.
    public init(
        cipher: String, key: String, vectorOffset: UInt64, device: TargetDevice, start: Sectors, options: [String] = []
    ) {
        self.cipher = cipher
        self.key = key
        self.vectorOffset = vectorOffset
        self.device = device
        self.start = start
        self.options = options
    }

    init?(_ words: inout TargetWords) {
        guard let cipher = words.next(), let key = words.next(), let offset = words.number(),
            let device = words.device(), let start = words.sectors(), let options = words.countedWords()
        else { return nil }
        self.init(
            cipher: cipher, key: key, vectorOffset: offset, device: device, start: start, options: options)
    }

    var parameters: String {
        let counted = options.isEmpty ? [] : ["\(options.count)"] + options.map(TargetWords.escaped)
        let words = [TargetWords.escaped(cipher), TargetWords.escaped(key)]
        return (words + ["\(vectorOffset) \(device) \(start)"] + counted).joined(separator: " ")
    }

    mutating func redactKey() {
        if key.first != ":", key != "-" { key = String(repeating: "0", count: key.utf8.count) }
    }
}
