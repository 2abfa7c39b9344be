public import DeviceMapper
internal import SystemCalls
public import SystemPackage

/// Mounting and unmounting.
public enum Mount {
    /// Mounts the file system on a device.
    ///
    /// The corresponding C function is `mount`.
    ///
    /// - Parameters:
    ///   - device: The device's node.
    ///   - mountPoint: A directory.
    ///   - type: The file system's name in `/proc/filesystems`.
    ///   - options: Options as in `/etc/fstab`, each of which may hold several, separated by commas.
    /// - Throws: ``FilesystemError``.
    public static func mount(
        _ device: FilePath, at mountPoint: FilePath, type: String, options: [String] = []
    ) throws(FilesystemError) {
        let (flags, settings) = MountOptions.split(options)
        let data = settings.joined(separator: ",")
        do {
            try systemCall {
                unsafe device.withPlatformString { device in
                    unsafe mountPoint.withPlatformString { unsafe SystemCalls.mount(device, $0, type, flags, data) }
                }
            }
        } catch {
            throw failure("mount \(device) at", mountPoint, error, type: type)
        }
    }

    /// An error with advice.
    static func failure(
        _ operation: String, _ path: FilePath, _ errno: Errno, type: String, detail: String? = nil
    ) -> FilesystemError {
        let advice: String? =
            switch errno {
            case .operationNotSupportedByDevice: "the kernel has no \(type); load its module with “modprobe \(type)”"
            case .invalidArgument, .badAddress, .ioError: "the kernel log (dmesg) says why"
            // ext4 and XFS answer so when a checksum or a structure is wrong.
            case Errno(rawValue: EUCLEAN), Errno(rawValue: EBADMSG):
                "the file system is damaged; the kernel log (dmesg) says where, and \(checker(of: type)) repairs it while "
                    + "it is not mounted"
            default: nil
            }
        return FilesystemError(operation, path, errno: errno, detail: detail ?? advice)
    }

    private static func checker(of type: String) -> String {
        type.hasPrefix("ext") ? "e2fsck" : type == "xfs" ? "xfs_repair" : "its own program"
    }

    /// Unmounts what is mounted at a directory.
    ///
    /// The corresponding C function is `umount2`.
    ///
    /// - Parameters:
    ///   - mountPoint: The directory.
    ///   - isLazy: Detaches it at once, and really unmounts it when nothing uses it any more (`MNT_DETACH`).
    /// - Throws: ``FilesystemError``, with `EBUSY` when something uses it.
    public static func unmount(_ mountPoint: FilePath, isLazy: Bool = false) throws(FilesystemError) {
        let flags = CInt(UMOUNT_NOFOLLOW) | (isLazy ? CInt(MNT_DETACH) : 0)
        do {
            try systemCall { unsafe mountPoint.withPlatformString { unsafe umount2($0, flags) } }
        } catch {
            throw FilesystemError("unmount", mountPoint, errno: error)
        }
    }
}

extension Mount {
    /// Whether the file system on a device is what is mounted at a directory.
    ///
    /// The corresponding C function is `lstat`, which costs the same however much else is mounted. It is for file
    /// systems whose files have the number of their block device, as those of ext4 and XFS have.
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - mountPoint: A directory of another file system, or a path where nothing is.
    /// - Throws: ``FilesystemError`` when that cannot be told.
    public static func isMounted(_ device: DeviceNumber, at mountPoint: FilePath) throws(FilesystemError) -> Bool {
        do {
            let status = try Stat(mountPoint, followTargetSymlink: false)
            return status.type == .directory && DeviceNumber(status.deviceID) == device
        } catch {
            if error == .noSuchFileOrDirectory { return false }
            // An XFS that has shut itself down tells nothing about its files.
            return try MountTable.current().entries.contains { $0.device == device && $0.mountPoint == mountPoint }
        }
    }
}

/// Mount options as text, divided into what every file system has and what the file system itself reads.
public enum MountOptions {
    private static let flags: [String: (set: UInt, clear: UInt)] = [
        "defaults": (0, 0), "ro": (UInt(MS_RDONLY), 0), "rw": (0, UInt(MS_RDONLY)),
        "nosuid": (UInt(MS_NOSUID), 0), "suid": (0, UInt(MS_NOSUID)),
        "nodev": (UInt(MS_NODEV), 0), "dev": (0, UInt(MS_NODEV)),
        "noexec": (UInt(MS_NOEXEC), 0), "exec": (0, UInt(MS_NOEXEC)),
        "sync": (UInt(MS_SYNCHRONOUS), 0), "async": (0, UInt(MS_SYNCHRONOUS)), "dirsync": (UInt(MS_DIRSYNC), 0),
        "noatime": (UInt(MS_NOATIME), 0), "atime": (0, UInt(MS_NOATIME)),
        "nodiratime": (UInt(MS_NODIRATIME), 0), "diratime": (0, UInt(MS_NODIRATIME)),
        "relatime": (UInt(MS_RELATIME), 0), "norelatime": (0, UInt(MS_RELATIME)),
        "strictatime": (UInt(MS_STRICTATIME), 0), "silent": (UInt(MS_SILENT), 0), "loud": (0, UInt(MS_SILENT)),
        "lazytime": (1 << 25, 0), "nolazytime": (0, 1 << 25),
    ]

    /// Divides options into the flags of `mount`, and the options that the file system reads.
    static func split(_ options: [String]) -> (flags: UInt, data: [Substring]) {
        var result: UInt = 0
        var data: [Substring] = []
        for option in options.flatMap(words) {
            if let flag = flags[String(option)] {
                result = result & ~flag.clear | flag.set
            } else {
                data.append(option)
            }
        }
        return (result, data)
    }

    /// Divides an option into its name and its value, as `fsconfig` takes them: without the quotation marks around the
    /// value, which `mount` needs where the value has commas.
    static func setting(_ option: Substring) -> (name: String, value: String?) {
        guard let sign = option.firstIndex(of: "=") else { return (String(option), nil) }
        var value = option[option.index(after: sign)...]
        if value.count >= 2, value.first == "\"", value.last == "\"" { value = value.dropFirst().dropLast() }
        return (String(option[..<sign]), String(value))
    }

    /// Divides at commas, but not within quotation marks, as of an SELinux label.
    public static func words(_ options: String) -> [Substring] {
        var isQuoted = false
        return options.split { character in
            if character == "\"" { isQuoted.toggle() }
            return character == "," && !isQuoted
        }
    }
}
