internal import DeviceMapper
internal import SystemPackage

/// The mounts of a namespace by which a path leads to another machine.
///
/// That machine may be out of reach, and whoever asks for a file there can wait for ever.
struct RemoteMounts {
    private static let types: Set<String> = [
        "nfs", "nfs4", "cifs", "smb3", "ceph", "afs", "9p", "fuse.sshfs", "fuse.glusterfs",
    ]

    /// The places of all mounts, the deepest first; nothing where no mount is remote.
    ///
    /// Of two mounts at one place, the later one is on top and comes first here: automount's own file system stays below what it mounts.
    private var places: [(path: FilePath, isRemote: Bool)] = []

    /// - Parameters:
    ///   - mounts: All mounts of a namespace.
    ///   - ownRoot: The device of this program's root, which is in reach, for the program comes from it. The path of a file in a
    ///     mount that was detached begins at the root of that mount, so that the file seems to lie in the process's root.
    init(among mounts: [MountTable.Entry], ownRoot: DeviceNumber?) {
        let areRemote = mounts.map { Self.types.contains($0.type) && $0.device != ownRoot }
        guard areRemote.contains(true) else { return }
        let depths = mounts.map(\.mountPoint.components.count)
        places = mounts.indices.sorted { (depths[$0], $0) > (depths[$1], $1) }
            .map { (mounts[$0].mountPoint, areRemote[$0]) }
    }

    /// Whether no mount is remote.
    var isEmpty: Bool { places.isEmpty }

    /// Whether a path lies on a file system of another machine.
    func cover(_ path: FilePath) -> Bool {
        places.first { path.starts(with: $0.path) }?.isRemote ?? false
    }
}
