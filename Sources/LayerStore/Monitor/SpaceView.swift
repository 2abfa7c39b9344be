internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import SystemCalls
public import SystemPackage

/// A directory whose `statfs` shows the size and the use of the pool, for programs that know file systems only.
///
/// The kubelet is such a program: it asks for the file system of the path that containerd exports as `root`. An ext4 is mounted at
/// the directory. It is on a sparse file, as large as the pool, and a file in it takes the share that the pool has used. Neither
/// file is ever written to, so that both cost a few hundred KiB of memory where the directory is on a tmpfs.
///
/// The mount stays when the service ends, and the next one goes on with it: the kubelet finds the file system by the number of its
/// device, which it reads when it starts.
public final class SpaceView {
    /// The name of the file that takes the used space.
    private static let usedSpace: FilePath.Component = "used"

    private let directory: FilePath
    /// The file that the file system is on.
    private let image: FilePath
    /// The device of the file system, once it is known to be mounted.
    private var device: DeviceNumber?

    /// Names the directory.
    ///
    /// - Parameter directory: An absolute path; the directory need not exist.
    public init(at directory: FilePath) {
        self.directory = directory
        image = FilePath(directory.string + ".img")
    }

    /// Shows a state of the pool.
    ///
    /// - Parameters:
    ///   - size: The size of the pool in bytes.
    ///   - share: The share of it that is used, from 0 to 1.
    /// - Throws: ``LayerStoreError``, with the code `busy` when something else is mounted at the directory.
    public func show(size: UInt64, share: Double) throws(LayerStoreError) {
        try attempting("show the pool's space at \(directory)") {
            if try isMounted() {
                try fit(to: size)
            } else {
                try make(size)
            }
            try take(share)
        }
    }

    // MARK: The file system

    /// Whether the file system is mounted already, perhaps by a service that has ended.
    private func isMounted() throws -> Bool {
        if let device, try Mount.isMounted(device, at: directory) { return true }
        device = nil
        guard let mounted = try MountTable.current().entries.last(where: { $0.mountPoint == directory }) else {
            return false
        }
        // Without the file, what is mounted there is another one's.
        let ours = (try? LoopDevice.attached(to: image)) ?? []
        defer { for loop in ours { loop.close() } }
        guard ours.contains(where: { $0.number == mounted.device }) else {
            throw LayerStoreError(
                .busy,
                "\(mounted.source) is mounted at \(directory) already; unmount it, or name another directory with --space-view"
            )
        }
        device = mounted.device
        return true
    }

    private func make(_ size: UInt64) throws {
        try StoreDirectory.makeDirectory(directory, mode: 0o755)
        // An image that is left without its mount, by a service that was killed, may be of any state.
        _ = try? systemCall { unsafe unlink(image.string) }
        let file = try FileDescriptor.open(
            image, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
        try file.closeAfter { try file.resize(to: Int64(clamping: size)) }
        try FilesystemMaker.make(
            .ext4, on: image,
            arguments: [
                // Large clusters keep the maps of the space small. There is nothing to keep safe, and no space for root alone.
                "-F", "-q", "-b", "4096", "-C", String(Self.clusterSize(for: size)), "-N", "64", "-m", "0",
                "-O", "bigalloc,^has_journal,^resize_inode",
            ])
        let loop = try LoopDevice.attach(image)
        defer { loop.close() }
        try Mount.mount(loop.path, at: directory, type: "ext4", options: ["nosuid,nodev,noexec,noatime"])
        device = loop.number
        withdrawReserve(of: loop)
    }

    /// The size of the units in which the file system gives out its space: about 16,000 of them, but none below 16 KiB.
    ///
    /// A view is thus wrong by 0.01 % at most.
    private static func clusterSize(for size: UInt64) -> UInt64 {
        var cluster: UInt64 = 16 << 10
        while cluster < size >> 14, cluster < 16 << 20 { cluster <<= 1 }
        return cluster
    }

    /// Gives free for use what ext4 keeps for its own maps, 2 % of the space, which nobody needs here.
    private func withdrawReserve(of loop: LoopDevice) {
        guard let name = loop.path.lastComponent else { return }
        let setting = FilePath("/sys/fs/ext4").appending(name).appending("reserved_clusters")
        // Where the kernel does not take it, 2 % of the free space are not shown as available.
        guard let file = try? FileDescriptor.open(setting, .writeOnly, options: .closeOnExec) else { return }
        _ = try? file.closeAfter { try file.writeAll(Array("0".utf8)) }
    }

    /// Makes the file system as large as the pool has become.
    private func fit(to size: UInt64) throws {
        let present = UInt64(clamping: try Stat(image).size)
        if present == size { return }
        guard size > present, let device else {
            // Another pool than before: pools do not shrink.
            try Mount.unmount(directory)
            return try make(size)
        }
        let file = try FileDescriptor.open(image, .readWrite, options: [.closeOnExec, .noFollow])
        try file.closeAfter { try file.resize(to: Int64(clamping: size)) }
        let loop = try LoopDevice(number: device)
        defer { loop.close() }
        try loop.refreshCapacity()
        try FilesystemGrowth.grow(.ext4, at: directory, to: size)
    }

    // MARK: The used space

    /// Has the file in the file system take the share of the space that is used, what the file system takes for itself included.
    private func take(_ share: Double) throws {
        let file = try FileDescriptor.open(
            directory.appending(Self.usedSpace), .readWrite, options: [.create, .closeOnExec, .noFollow],
            permissions: .ownerReadWrite)
        try file.closeAfter {
            var filesystem = statvfs()
            try systemCall { unsafe fstatvfs(file.rawValue, &filesystem) }
            let block = UInt64(filesystem.f_frsize)
            let own = UInt64(clamping: try Stat(file).blocksAllocated) * 512 / block
            let others =
                UInt64(filesystem.f_blocks) - min(UInt64(filesystem.f_bfree) + own, UInt64(filesystem.f_blocks))
            let wanted = UInt64((Double(filesystem.f_blocks) * min(max(share, 0), 1)).rounded())
            let length = Int64(clamping: (wanted - min(others, wanted)) * block)
            do {
                if length > Int64(clamping: own * block) {
                    try requireSuccess(posix_fallocate(file.rawValue, 0, off_t(length)))
                } else {
                    try file.resize(to: length)
                }
            } catch Errno.noSpace {
                // The file system is full then, and so is the pool, but for a rounded cluster.
            }
        }
    }
}
