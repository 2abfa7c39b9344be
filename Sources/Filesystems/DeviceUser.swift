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
        var tables: [UInt64: RemoteMounts] = [:]
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
                tables[namespace] = RemoteMounts(among: mounts, ownRoot: ownRoot)
                mountPoints = mounts.filter { $0.device == device }.map(\.mountPoint)
            }
            if let path = openFile(of: directory, on: device, tables[namespace]) {
                users.append(.process(process, name: name, path: path))
            }
            users += mountPoints.map { .mount(process, name: name, mountPoint: $0.string) }
        }
        return users + ((try? DeviceHolder.holders(of: device)) ?? []).map(DeviceUser.holder)
    }

    private static func processes() -> [Int] {
        ((try? DirectoryListing.names(in: "/proc")) ?? []).compactMap { Int($0.string) }.sorted()
    }

    /// The working directory, root, program or open file of a process that lies on the device, or that is the device.
    ///
    /// Files on other machines are left out.
    private static func openFile(
        of directory: FilePath, on device: DeviceNumber, _ remote: RemoteMounts?
    ) -> String? {
        let descriptors = ((try? DirectoryListing.names(in: directory.appending("fd"))) ?? [])
            .map { directory.appending("fd").appending($0) }
        for link in ["cwd", "root", "exe"].map({ directory.appending($0) }) + descriptors {
            if let remote, !remote.isEmpty, remote.cover(FilePath(target(of: link))) { continue }
            guard let status = try? Stat(link) else { continue }
            let isDevice = status.type == .blockSpecial && DeviceNumber(status.specialDeviceID) == device
            if isDevice || DeviceNumber(status.deviceID) == device { return target(of: link) }
        }
        return nil
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
