public import BlockDevices
public import DeviceMapper
internal import SystemCalls
internal import SystemPackage

/// Something that keeps a block device busy.
public enum DeviceUser: Hashable, Sendable {
    /// A process that has a file or a directory on the device's file system open.
    case process(Int, name: String, path: String)
    /// A process in whose mount namespace the device is mounted.
    case mount(Int, name: String, mountPoint: String)
    /// Another block device on top of it.
    case holder(DeviceHolder)

    /// Whether it is a process, which can be ended.
    public var isProcess: Bool {
        if case .process = self { true } else { false }
    }

    /// All known users of a device; a mount namespace is named once, by one of its processes.
    ///
    /// A process that ends during the search is left out.
    public static func users(of device: DeviceNumber) -> [DeviceUser] {
        var users: [DeviceUser] = []
        // By the number of the mount namespace.
        var tables: [UInt64: [MountTable.Entry]] = [:]
        // If it cannot be examined, its mount counts as any other.
        let ownRoot = (try? Stat(FilePath("/"))).map { DeviceNumber($0.deviceID) }
        for process in processes() {
            let directory = FilePath("/proc").appending("\(process)")
            guard let namespace = (try? Stat(directory.appending("ns/mnt"))).map({ UInt64($0.inode.rawValue) }) else {
                continue
            }
            let name = (try? PseudoFile.readLine(directory.appending("comm"))) ?? "?"
            var mountPoints: [FilePath] = []
            if tables[namespace] == nil {
                let mounts = (try? MountTable(reading: directory.appending("mountinfo")))?.entries ?? []
                let isRemote = mounts.contains { remoteTypes.contains($0.type) && $0.device != ownRoot }
                tables[namespace] = isRemote ? mounts : []
                mountPoints = mounts.filter { $0.device == device }.map(\.mountPoint)
            }
            if let path = openFile(of: directory, on: device, mounts: tables[namespace] ?? [], ownRoot) {
                users.append(.process(process, name: name, path: path))
            }
            users += mountPoints.map { .mount(process, name: name, mountPoint: $0.string) }
        }
        return users + ((try? DeviceHolder.holders(of: device)) ?? []).map(DeviceUser.holder)
    }

    /// File systems of other machines, which may be out of reach: whoever asks for a file there can wait for ever.
    private static let remoteTypes: Set<String> = [
        "nfs", "nfs4", "cifs", "smb3", "ceph", "afs", "9p", "fuse.sshfs", "fuse.glusterfs",
    ]

    private static func processes() -> [Int] {
        ((try? DirectoryListing.names(in: "/proc")) ?? []).compactMap { Int($0.string) }.sorted()
    }

    /// The working directory, root, program or open file of a process that lies on the device, or that is the device.
    private static func openFile(
        of directory: FilePath, on device: DeviceNumber, mounts: [MountTable.Entry], _ ownRoot: DeviceNumber?
    ) -> String? {
        let descriptors = ((try? DirectoryListing.names(in: directory.appending("fd"))) ?? [])
            .map { directory.appending("fd").appending($0) }
        for link in ["cwd", "root", "exe"].map({ directory.appending($0) }) + descriptors {
            if !mounts.isEmpty, isRemote(FilePath(target(of: link)), mounts, ownRoot) { continue }
            guard let status = try? Stat(link) else { continue }
            let isDevice = status.type == .blockSpecial && DeviceNumber(status.specialDeviceID) == device
            if isDevice || DeviceNumber(status.deviceID) == device { return target(of: link) }
        }
        return nil
    }

    /// Whether a path lies on a file system of another machine, which may be out of reach.
    ///
    /// This program's own root is in reach, for the program comes from it. And a path in a mount that was detached begins at the
    /// root of that mount, so that it seems to lie in the process's root.
    private static func isRemote(
        _ path: FilePath, _ mounts: [MountTable.Entry], _ ownRoot: DeviceNumber?
    ) -> Bool {
        let covering = mounts.filter { path.starts(with: $0.mountPoint) }
            .max { $0.mountPoint.components.count < $1.mountPoint.components.count }
        return covering.map { remoteTypes.contains($0.type) && $0.device != ownRoot } ?? false
    }

    private static func target(of link: FilePath) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink(link.string, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : link.string
    }
}

extension DeviceUser: CustomStringConvertible {
    /// The user and the path by which it uses the device, for a message.
    public var description: String {
        switch self {
        case .process(let process, let name, let path): "process \(process) (\(name)), which has \(path) open"
        case .mount(let process, let name, let mountPoint):
            "the mount at \(mountPoint) in the namespace of process \(process) (\(name))"
        case .holder(let holder): "\(holder)"
        }
    }
}
