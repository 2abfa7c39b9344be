internal import BlockDevices
internal import Glibc
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
    /// The profile is asked first, then `lvmlocal.conf` and `lvm.conf`; what cannot be read counts as not there, as it does
    /// for lvm2.
    public static func of(profile: String?) -> AutoextendSettings {
        var settings = standard
        let directory = LVMConfiguration.directory
        var files = [directory.appending("lvm.conf"), directory.appending("lvmlocal.conf")]
        if let profile, VolumeGroup.isName(profile) { files.append(file(ofProfile: profile)) }
        for file in files {
            guard let content = try? PseudoFile.read(file) else { continue }
            if let threshold = number("thin_pool_autoextend_threshold", in: content) { settings.threshold = threshold }
            if let percent = number("thin_pool_autoextend_percent", in: content) { settings.percent = percent }
        }
        // lvm2 takes 50 for less, and everything from 100 on is never.
        settings.threshold = min(100, max(50, settings.threshold))
        settings.percent = min(mostPercent, max(0, settings.percent))
        return settings
    }

    static func file(ofProfile name: String) -> FilePath {
        LVMConfiguration.directory.appending("profile/\(name).profile")
    }

    private static func number(_ name: String, in content: [UInt8]) -> Int? {
        var reader = ConfigurationReader(content)
        guard let nodes = try? reader.takeNodes().nodes else { return nil }
        let inSection = nodes.last { $0.name == "activation" }?.children?.last { $0.name == name }
        let node = inSection ?? nodes.last { $0.name == "activation/\(name)" }
        guard case .number(let number)? = node?.value else { return nil }
        return Int(clamping: number)
    }

    /// Writes a profile for lvm2.
    func write(profile: String) throws(LogicalVolumeError) {
        let file = Self.file(ofProfile: profile)
        let text = """
            activation {
              thin_pool_autoextend_threshold=\(threshold)
              thin_pool_autoextend_percent=\(percent)
            }

            """
        do {
            for directory in [LVMConfiguration.directory, file.removingLastComponent()] {
                guard unsafe mkdir(directory.string, 0o755) == 0 || errno == EEXIST else {
                    throw Errno(rawValue: errno)
                }
            }
            let opened = try FileDescriptor.open(
                file, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
            try opened.closeAfter {
                try opened.writeAll(text.utf8)
                guard fsync(opened.rawValue) == 0 else { throw Errno(rawValue: errno) }
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
