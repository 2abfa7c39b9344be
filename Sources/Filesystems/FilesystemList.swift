internal import BlockDevices
internal import SystemCalls
public import SystemPackage

/// The file systems that the administrator wants to be mounted: `/etc/fstab`.
public struct FilesystemList: Hashable, Sendable {
    /// The mount points.
    public let mountPoints: [FilePath]

    /// The list of this machine; empty where there is none.
    public static func current() -> FilesystemList {
        // Many machines have no such file. A file that cannot be read counts as empty.
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
        let path = Self.withoutLinks(path.lexicallyNormalized())
        let mounted = Set(table.entries.map { $0.mountPoint.lexicallyNormalized() })
        return mountPoints.first { point in
            // The root itself is always there, also where it is no mount point, as after a chroot. A mounted file system is not
            // looked into: its server may be dead.
            guard point != "/", !mounted.contains(point) else { return false }
            let place = Self.withoutLinks(point)
            return path.starts(with: place) && !mounted.contains(place)
        }
    }

    /// A path without symbolic links, as far as it exists.
    private static func withoutLinks(_ path: FilePath) -> FilePath {
        var (present, missing) = (path, FilePath())
        while let name = present.lastComponent {
            // A part that cannot be resolved stays as it is.
            if let resolved = try? unsafe pointerCall({ unsafe realpath(present.string, nil) }) {
                defer { unsafe free(resolved) }
                return unsafe FilePath(platformString: resolved).appending(missing.components)
            }
            missing = FilePath(root: nil, [name] + missing.components)
            present.removeLastComponent()
        }
        return path
    }
}
