import TestSupport

/// A disk in memory, whose flushes cost nothing, and where the pool's metadata can be made to fail.
struct PoolDisk {
    enum Condition {
        case whole
        /// It takes no writes.
        case readOnly
        case failing
    }

    /// The metadata has so many sectors.
    private static let sectors = 8192
    private let memory: String
    private let length: Int

    init() throws {
        memory = try Shell.run("truncate -s 512M /run/disk && losetup --find --show /run/disk")
        length = Int(try Shell.run("blockdev --getsz '\(memory)'")) ?? 0
        try Shell.run("dmsetup create disk --table '0 \(length) linear \(memory) 0'")
    }

    /// Changes the condition of the metadata, which begins at sector `start`.
    func setMetadata(at start: Int, _ condition: Condition) throws {
        let target =
            switch condition {
            case .whole: "linear \(memory) \(start)"
            case .readOnly: "flakey \(memory) \(start) 0 1 1 error_writes"
            case .failing: "error"
            }
        let end = start + Self.sectors
        try Shell.run(
            """
            set -e
            dmsetup suspend --noflush --nolockfs disk
            dmsetup load disk <<'TABLE'
            0 \(start) linear \(memory) 0
            \(start) \(Self.sectors) \(target)
            \(end) \(length - end) linear \(memory) \(end)
            TABLE
            dmsetup resume disk
            """)
    }
}
