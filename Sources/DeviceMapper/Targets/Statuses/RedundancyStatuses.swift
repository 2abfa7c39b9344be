/// The status of a ``RaidTarget``: the kernel's `dm-raid.rst`.
public struct RaidStatus: TypedStatus {
    /// The targets that have this status.
    public static let types = [RaidTarget.type]

    /// The state of a device of the array.
    public enum Health: Character, Hashable, Sendable {
        case inSync = "A"
        case outOfSync = "a"
        case failed = "D"
        /// The device is missing.
        case missing = "-"
    }

    /// The level and the layout.
    public let level: String
    /// The state of each device.
    public let health: [Health]
    /// How many sectors are in sync, or have been gone through by the action that runs.
    public let progress: Share
    /// The action that runs, such as `idle`, `resync` and `recover`; `nil` before Linux 3.11.
    public let action: String?
    /// How many sectors differed when they were checked; `nil` before Linux 3.11.
    public let mismatches: UInt64?
    /// Where the data begins on each device; `nil` before Linux 4.8.
    public let dataOffset: Sectors?

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let level = words.next(), let count = words.number(), let health = words.next(),
            UInt64(health.count) == count, let progress = words.share()
        else { return nil }
        var states: [Health] = []
        for character in health {
            guard let state = Health(rawValue: character) else { return nil }
            states.append(state)
        }
        self.level = level
        self.health = states
        self.progress = progress
        action = words.next()
        mismatches = words.number()
        dataOffset = words.sectors()
    }
}

/// The status of a ``MirrorTarget``.
public struct MirrorStatus: TypedStatus {
    /// The targets that have this status.
    public static let types = [MirrorTarget.type]

    /// The state of a leg.
    public enum Health: Character, Hashable, Sendable {
        case alive = "A"
        case writeFailed = "D"
        case syncFailed = "S"
        case readFailed = "R"
        case flushFailed = "F"
        case unknown = "U"
    }

    /// The devices.
    public let legs: [TargetDevice]
    /// How many regions are in sync.
    public let progress: Share
    /// The state of each leg.
    public let health: [Health]
    /// The log's own words: its type, its device and the state of that.
    public let log: [String]

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let count = words.number(), let legs = words.words(count), let progress = words.share(),
            words.number() == 1, let health = words.next(), health.count == legs.count,
            let log = words.countedWords()
        else { return nil }
        var states: [Health] = []
        for character in health {
            guard let state = Health(rawValue: character) else { return nil }
            states.append(state)
        }
        self.legs = legs.map { TargetDevice($0) }
        self.progress = progress
        self.health = states
        self.log = log
    }
}

/// The status of a ``MultipathTarget``.
public struct MultipathStatus: TypedStatus {
    /// The targets that have this status.
    public static let types = [MultipathTarget.type]

    /// A path.
    public struct Path: Hashable, Sendable {
        /// The device.
        public let device: TargetDevice
        /// Whether the path works.
        public let isActive: Bool
        /// How often it has failed.
        public let failures: UInt64
        /// The selector's words about it, such as how much is under way.
        public let selectorStatus: [String]

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(device: TargetDevice, isActive: Bool, failures: UInt64, selectorStatus: [String] = []) {
            self.device = device
            self.isActive = isActive
            self.failures = failures
            self.selectorStatus = selectorStatus
        }
    }

    /// Paths that are used together.
    public struct PriorityGroup: Hashable, Sendable {
        /// Whether and how a group is used.
        public enum State: String, Hashable, Sendable {
            case active = "A"
            case disabled = "D"
            case enabled = "E"
        }

        /// Whether and how the group is used.
        public let state: State
        /// The paths.
        public let paths: [Path]

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(state: State, paths: [Path] = []) {
            self.state = state
            self.paths = paths
        }

        init?(_ words: inout TargetWords) {
            guard let state = words.next().flatMap(State.init), words.countedWords() != nil, let count = words.number(),
                let statusCount = words.number(), count <= UInt64(words.count)
            else { return nil }
            var paths: [Path] = []
            for _ in 0..<count {
                guard let device = words.device(), let condition = words.next(), let failures = words.number(),
                    let status = words.words(statusCount)
                else { return nil }
                paths.append(
                    Path(device: device, isActive: condition == "A", failures: failures, selectorStatus: status))
            }
            self.state = state
            self.paths = paths
        }
    }

    /// Whether requests wait for a path.
    public let isQueueing: Bool
    /// How often the hardware has been told to change to another group.
    public let initialisations: UInt64
    /// The group that is used next, from 1; 0 for none.
    public let nextGroup: UInt64
    /// The groups.
    public let groups: [PriorityGroup]

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let features = words.countedWords(), features.count >= 2, let initialisations = UInt64(features[1]),
            words.countedWords() != nil, let count = words.number(), let next = words.number(),
            count <= UInt64(words.count)
        else { return nil }
        var groups: [PriorityGroup] = []
        for _ in 0..<count {
            guard let group = PriorityGroup(&words) else { return nil }
            groups.append(group)
        }
        isQueueing = features[0] != "0"
        self.initialisations = initialisations
        nextGroup = next
        self.groups = groups
    }
}
