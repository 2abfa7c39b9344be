/// RAID 0, 1, 4, 5, 6 and 10 by the kernel's MD: the kernel's `dm-raid.rst`.
public struct RaidTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "raid"

    /// One device of the array.
    public struct Member: Hashable, Sendable {
        /// The device with the superblock and the bitmap; `nil` for none.
        public var metadataDevice: TargetDevice?
        /// The device with the data; `nil` for one that is missing.
        public var dataDevice: TargetDevice?

        /// Makes a member.
        public init(metadataDevice: TargetDevice? = nil, dataDevice: TargetDevice?) {
            self.metadataDevice = metadataDevice
            self.dataDevice = dataDevice
        }
    }

    /// The level and the layout, such as `raid1` and `raid5_ls`.
    public var level: String
    /// The length of a chunk in sectors, 0 for RAID 1, and then words such as `region_size` and the number behind it.
    public var levelParameters: [String]
    /// The devices.
    public var members: [Member]

    /// Makes a target.
    public init(level: String, levelParameters: [String], members: [Member]) {
        self.level = level
        self.levelParameters = levelParameters
        self.members = members
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let level = words.next(), let levelParameters = words.countedWords(), let count = words.number(),
            count <= UInt64(words.count / 2)
        else { return nil }
        self.init(level: level, levelParameters: levelParameters, members: [])
        for _ in 0..<count {
            guard let metadata = words.next(), let data = words.next() else { return nil }
            members.append(Member(metadataDevice: Self.device(metadata), dataDevice: Self.device(data)))
        }
    }

    private static func device(_ word: String) -> TargetDevice? { word == "-" ? nil : TargetDevice(word) }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        let devices = members.map { "\($0.metadataDevice?.description ?? "-") \($0.dataDevice?.description ?? "-")" }
        return (["\(TargetWords.escaped(level)) \(TargetWords.counted(levelParameters)) \(members.count)"] + devices)
            .joined(separator: " ")
    }
}

/// Writes to several devices alike.
///
/// LVM uses it for moves; new mirrors are ``RaidTarget``. The kernel's `dm-log.rst` describes its logs.
public struct MirrorTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "mirror"

    /// Where the mirror keeps which regions are equal: `core`, `disk` or a user-space log.
    public var log: String
    /// The log's own words: the device of a log on disk, the length of a region, `sync` or `nosync`.
    public var logArguments: [String]
    /// The devices with the first sector that is used of each.
    public var legs: [DeviceArea]
    /// Words such as `handle_errors`.
    public var features: [String]

    /// Makes a target.
    public init(log: String, logArguments: [String], legs: [DeviceArea], features: [String] = []) {
        self.log = log
        self.logArguments = logArguments
        self.legs = legs
        self.features = features
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let log = words.next(), let logArguments = words.countedWords(), let count = words.number(),
            let legs = words.areas(count), let features = words.countedWords()
        else { return nil }
        self.init(log: log, logArguments: logArguments, legs: legs, features: features)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        let counted = features.isEmpty ? [] : [TargetWords.counted(features)]
        return
            (["\(TargetWords.escaped(log)) \(TargetWords.counted(logArguments)) \(legs.count)"]
            + legs.map(\.description) + counted).joined(separator: " ")
    }
}
