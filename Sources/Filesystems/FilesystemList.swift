internal import BlockDevices
public import SystemPackage

/// The file systems that the administrator wants to be mounted: `/etc/fstab`.
public struct FilesystemList: Hashable, Sendable {
    /// The mount points.
    public let mountPoints: [FilePath]

    /// The list of this machine; empty where there is none.
    public static func current() -> FilesystemList {
        // Many machines have no such file, and nobody but root may be kept from reading it.
        FilesystemList(parsing: (try? PseudoFile.read("/etc/fstab")) ?? [])
    }

    /// Reads the text of such a file; lines of another form are passed over.
    init(parsing content: [UInt8]) {
        mountPoints = content.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
            guard fields.count >= 3, fields[0].first != UInt8(ascii: "#"), fields[1].first == UInt8(ascii: "/") else {
                return nil
            }
            return MountTable.path(fields[1]).lexicallyNormalized()
        }
    }

    /// The mount point at which a path is, or below which it is, and at which nothing is mounted; `nil` where there is none.
    public func missingMount(above path: FilePath, in table: MountTable) -> FilePath? {
        let path = path.lexicallyNormalized()
        let mounted = Set(table.entries.map { $0.mountPoint.lexicallyNormalized() })
        // The root itself is always there, also where it is no mount point, as after a chroot.
        return mountPoints.first { $0 != "/" && path.starts(with: $0) && !mounted.contains($0) }
    }
}
