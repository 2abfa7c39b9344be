internal import BlockDevices
internal import SystemCalls
internal import SystemPackage

/// When a thin pool is to be made larger, and by how much: what lvm2 keeps in a profile or in its configuration.
public struct AutoextendSettings: Hashable, Sendable {
    /// The use in percent at which the pool is extended; 100 is never.
    public var threshold: Int
    /// By how many percent of its size it is extended.
    public var percent: Int

    /// Makes settings.
    public init(threshold: Int, percent: Int) {
        self.threshold = threshold
        self.percent = percent
    }

    /// The most that a pool is extended by at a time.
    static let mostPercent = 1000

    /// lvm2's, when nothing is configured.
    static let standard = AutoextendSettings(threshold: 100, percent: 20)

    /// The settings for a logical volume with a profile, or with none.
    ///
    /// The profile comes first, then `lvmlocal.conf` and `lvm.conf`; a file that is not there says nothing.
    ///
    /// - Throws: ``LogicalVolumeError/Code/failed`` when a file cannot be read or understood: it may say when the pool is to
    ///   be extended.
    public static func of(profile: String?) throws(LogicalVolumeError) -> AutoextendSettings {
        try of(profile: profile, in: LVMConfiguration.directory)
    }

    static func of(profile: String?, in directory: FilePath) throws(LogicalVolumeError) -> AutoextendSettings {
        let named = profile.flatMap { VolumeGroup.isName($0) ? $0 : nil }
        return AutoextendSettings(try LVMConfiguration(of: directory, profile: named))
    }

    private init(_ configuration: LVMConfiguration) {
        func number(_ name: String, _ standard: Int) -> Int {
            guard case .number(let number)? = configuration.value("activation", name) else { return standard }
            return Int(clamping: number)
        }
        let given = AutoextendSettings(
            threshold: number("thin_pool_autoextend_threshold", Self.standard.threshold),
            percent: number("thin_pool_autoextend_percent", Self.standard.percent))
        self = given.inForce
    }

    /// The settings within lvm2's limits: a threshold of 50 to 100, where 100 means never.
    private var inForce: AutoextendSettings {
        AutoextendSettings(threshold: min(100, max(50, threshold)), percent: min(Self.mostPercent, max(0, percent)))
    }

    static func file(ofProfile name: String, in directory: FilePath = LVMConfiguration.directory) -> FilePath {
        directory.appending("profile/\(name).profile")
    }

    /// Refuses to take the place of a profile that says something else: another program or a person made it.
    ///
    /// - Throws: ``LogicalVolumeError/Code/refusedChange``.
    func requireNoOther(
        profile: String, in directory: FilePath = LVMConfiguration.directory
    ) throws(LogicalVolumeError) {
        guard let configuration = try LVMConfiguration(ofProfileAlone: profile, in: directory) else { return }
        let present = AutoextendSettings(configuration)
        guard present != inForce else { return }
        throw LogicalVolumeError(
            .refusedChange,
            "lvm2's profile \(Self.file(ofProfile: profile, in: directory)) is there already, with the threshold "
                + "\(present.threshold) and the percentage \(present.percent) instead of \(inForce.threshold) and "
                + "\(inForce.percent); remove it if nobody needs it, or give its values")
    }

    /// Removes a profile that ``write(profile:)`` wrote; another one stays.
    func remove(profile: String, in directory: FilePath = LVMConfiguration.directory) {
        let file = Self.file(ofProfile: profile, in: directory)
        // A profile alone does nothing: lvm2 reads it for the pool's sake only. One that cannot be read or removed stays.
        guard let content = try? PseudoFile.read(file), content == Array(text.utf8) else { return }
        _ = unsafe unlink(file.string)
    }

    private var text: String {
        """
        activation {
          thin_pool_autoextend_threshold=\(threshold)
          thin_pool_autoextend_percent=\(percent)
        }

        """
    }

    /// Writes a profile for lvm2, unless there is one.
    ///
    /// The caller has asked whether that says the same (``requireNoOther(profile:)``).
    func write(profile: String, in directory: FilePath = LVMConfiguration.directory) throws(LogicalVolumeError) {
        let file = Self.file(ofProfile: profile, in: directory)
        guard try LVMConfiguration(ofProfileAlone: profile, in: directory) == nil else { return }
        do {
            for directory in [directory, file.removingLastComponent()] {
                try LVMDirectory.make(directory, permissions: 0o755)
            }
            let opened = try FileDescriptor.open(
                file, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
            try opened.closeAfter {
                try opened.writeAll(text.utf8)
                try systemCall { fsync(opened.rawValue) }
            }
        } catch {
            let isReadOnly = (error as? Errno) == .readOnlyFileSystem
            let advice =
                isReadOnly
                ? "; set LVM_SYSTEM_DIR to a directory that can be written, for the monitor and the pool's other commands as well"
                : ""
            throw LogicalVolumeError(.failed, "cannot write lvm2's profile \(file): \(error)\(advice)")
        }
    }

    /// The number of free blocks below which lvm2 has the pool report an event.
    func lowWaterMark(ofBlocks blocks: UInt64) -> UInt64 {
        // Divided first: no device is so small that it matters, and none so large that it overflows.
        blocks / 100 * UInt64(100 - threshold) + blocks % 100 * UInt64(100 - threshold) / 100
    }
}
