internal import CShims
internal import SystemCalls
public import SystemPackage

/// A file system that is mounted at no place: only descriptors lead to its files.
///
/// It is unmounted when the last descriptor of a file in it is closed, however that happens: also when the process is
/// killed. Programs in it cannot be run, and device nodes not be opened.
public final class DetachedMount: Sendable {
    /// The kinds of access to the file system.
    public enum Access: Hashable, Sendable {
        /// Everything.
        case readWrite
        /// Reading. On a device that is not read-only, what an interruption left behind is mended first.
        case readOnly
        /// Reading in a file system that is mounted for writing elsewhere.
        case readOnlyView
    }

    /// The root directory.
    ///
    /// The descriptor only serves to reach the files in the directory (`O_PATH`).
    public let root: FileDescriptor

    /// Mounts the file system on a device.
    ///
    /// The corresponding system calls are `fsopen`, `fsconfig` and `fsmount`.
    ///
    /// - Parameters:
    ///   - device: The device's node.
    ///   - type: The file system's name in `/proc/filesystems`.
    ///   - options: Options as in `/etc/fstab`, each of which may hold several, separated by commas; of what every file
    ///     system has, only the access counts.
    ///   - access: The kind of access to the file system.
    /// - Throws: ``FilesystemError``: `EROFS` when the file system must be mended, and the device is read-only; `EBUSY`
    ///   when it is mounted elsewhere with another access.
    public init(
        _ device: FilePath, type: String, options: [String] = [], _ access: Access
    ) throws(FilesystemError) {
        var filesystem: CInt = -1
        defer { if filesystem >= 0 { SystemCalls.close(filesystem) } }
        var settings = MountOptions.split(options).data.map(MountOptions.setting)
        settings.append((name: "source", value: device.string))
        if access == .readOnly { settings.append((name: "ro", value: nil)) }
        var root: CInt = -1
        do {
            try unsafe requireSuccess(dmshim_open_filesystem(type, &filesystem))
            for (name, value) in settings {
                try unsafe requireSuccess(dmshim_set_option(filesystem, name, value))
            }
            try requireSuccess(dmshim_create_superblock(filesystem))
            try unsafe requireSuccess(dmshim_mount_nowhere(filesystem, access == .readWrite ? 0 : 1, &root))
        } catch {
            throw Mount.failure("mount", device, error, type: type, detail: Self.message(of: filesystem))
        }
        self.root = FileDescriptor(rawValue: root)
    }

    deinit { SystemCalls.close(root.rawValue) }

    /// The kernel's reason for a mount that failed; not all file systems give one here.
    private static func message(of filesystem: CInt) -> String? {
        var buffer = [UInt8](repeating: 0, count: 1024)
        let count = unsafe read(filesystem, &buffer, buffer.count)
        // One letter for the importance, and a blank.
        guard count > 2 else { return nil }
        let text = buffer[2..<count].prefix { $0 != UInt8(ascii: "\n") }
        return "the kernel says: " + String(decoding: text, as: UTF8.self)
    }
}
