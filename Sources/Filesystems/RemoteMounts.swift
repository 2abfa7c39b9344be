internal import DeviceMapper
internal import SystemPackage

/// The mounts of a namespace by which a path leads to another machine.
///
/// That machine may be out of reach, and whoever asks for a file there can wait for ever.
struct RemoteMounts {
    private static let types: Set<String> = [
        "nfs", "nfs4", "cifs", "smb3", "ceph", "afs", "9p", "fuse.sshfs", "fuse.glusterfs",
    ]

    /// The places of all mounts, the last one first; nothing where no mount is remote.
    private var places: [(path: FilePath, isRemote: Bool)] = []

    /// - Parameters:
    ///   - mounts: All mounts of a namespace.
    ///   - ownRoot: The device of this program's root, which is in reach, for the program comes from it. The path of a file in a
    ///     mount that was detached begins at the root of that mount, so that the file seems to lie in the process's root.
    init(among mounts: [MountTable.Entry], ownRoot: DeviceNumber?) {
        let all = mounts.reversed().map { mount in
            (path: mount.mountPoint, isRemote: Self.types.contains(mount.type) && mount.device != ownRoot)
        }
        if all.contains(where: \.isRemote) { places = all }
    }

    /// Whether no mount is remote.
    var isEmpty: Bool { places.isEmpty }

    /// Whether a path lies on a file system of another machine.
    func cover(_ path: FilePath) -> Bool {
        // Of two mounts at one place, the later one is on top, as where automount has mounted something: `max` takes the first.
        places.filter { path.starts(with: $0.path) }
            .max { $0.path.components.count < $1.path.components.count }?.isRemote ?? false
    }
}
