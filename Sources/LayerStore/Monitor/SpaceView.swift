internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import SystemCalls
public import SystemPackage

/// A directory whose `statfs` shows the size and the use of the pool, for programs that know file systems only.
///
/// The kubelet is such a program: it asks for the file system of the path that containerd exports as `root`. An ext4 is mounted at
/// the directory. It is on a sparse file, as large as the pool, and a file in it takes the share that the pool has used. Only the
/// file system's own maps are written: on a tmpfs they take 0.1 to 2 MiB of memory.
///
/// The mount stays when the service ends, and the next one goes on with it: the kubelet finds the file system by the number of its
/// device, which it reads when it starts.
public final class SpaceView {
    /// The name of the file that takes the used space.
    private static let usedSpace: FilePath.Component = "used"

    /// The directory as it was named, which may lead through symbolic links.
    private let directory: FilePath
    /// The file that the file system is on.
    private let image: FilePath
    /// The device of the file system, once it is known to be mounted.
    private var device: DeviceNumber?
    /// The lock that this object has on the directory while it exists.
    private var lock: FileDescriptor?

    /// Names the directory.
    ///
    /// - Parameter directory: An absolute path; the directory need not exist.
    public init(at directory: FilePath) {
        self.directory = directory
        image = FilePath(directory.string + ".img")
    }

    deinit {
        // Nothing was written to the file.
        try? lock?.close()
    }

    /// Shows a state of the pool.
    ///
    /// - Parameters:
    ///   - size: The size of the pool in bytes.
    ///   - share: The share of it that is used, from 0 to 1.
    /// - Throws: ``LayerStoreError``, with the code `busy` when something else is mounted at the directory, or when another
    ///   object shows a pool there.
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
        guard let place = try resolved() else { return false }
        try claim()
        if let device, try Mount.isMounted(device, at: place) { return true }
        device = nil
        guard let mounted = try MountTable.current().entries.last(where: { $0.mountPoint == place }) else {
            return false
        }
        guard try isOurs(mounted.device) else {
            throw LayerStoreError(
                .busy,
                "\(mounted.source) is mounted at \(place) already; unmount it, or name another directory with --space-view"
            )
        }
        device = mounted.device
        return true
    }

    /// The directory's path without symbolic links; `nil` where there is no such directory.
    private func resolved() throws -> FilePath? {
        do throws(Errno) {
            guard let path = try unsafe pointerCall({ unsafe realpath(directory.string, nil) }) else { return nil }
            defer { unsafe free(path) }
            return unsafe FilePath(platformString: path)
        } catch {
            if error == .noSuchFileOrDirectory { return nil }
            throw error
        }
    }

    /// Keeps the views of other processes away from the directory.
    private func claim() throws {
        guard lock == nil else { return }
        let file = try FileDescriptor.open(
            FilePath(directory.string + ".lock"), .readWrite, options: [.create, .closeOnExec, .noFollow],
            permissions: .ownerReadWrite)
        do {
            try systemCall { flock(file.rawValue, LOCK_EX | LOCK_NB) }
        } catch {
            // Nothing was written to the file.
            try? file.close()
            guard error == .wouldBlock else { throw error }
            throw LayerStoreError(
                .busy, "another service shows its pool at \(directory); name another directory with --space-view")
        }
        lock = file
    }

    /// Whether a device has the image behind it.
    private func isOurs(_ number: DeviceNumber) throws -> Bool {
        guard unsafe access(image.string, F_OK) == 0 else { return false }
        let loops = try LoopDevice.attached(to: image)
        defer { for loop in loops { loop.close() } }
        return loops.contains { $0.number == number }
    }

    private func make(_ size: UInt64) throws {
        // Without it there must be no directory: its `statfs` would be that of the file system around it.
        try FilesystemMaker.program(for: .ext4)
        let isNew = try resolved() == nil
        try StoreDirectory.makeDirectory(directory, mode: 0o755)
        do {
            try claim()
            try makeFilesystem(size)
        } catch {
            if isNew { unsafe rmdir(directory.string) }
            throw error
        }
    }

    private func makeFilesystem(_ size: UInt64) throws {
        guard let place = try resolved() else { throw Errno.noSuchFileOrDirectory }
        // An image without its mount, from a service that was killed, may be in any state. If it cannot be removed, the next call
        // says why.
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
        try Mount.mount(loop.path, at: place, type: "ext4", options: ["nosuid,nodev,noexec,noatime"])
        device = loop.number
        withdrawReserve(of: loop)
    }

    /// The size of the units in which the file system gives out its space: 8,000 to 16,000 of them, but none below 16 KiB or above
    /// 16 MiB.
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
        // As above.
        _ = try? file.closeAfter { try file.writeAll(Array("0".utf8)) }
    }

    /// Makes the file system as large as the pool has become.
    ///
    /// The file system's own size tells whether that is to be done, so that a growth that was interrupted is completed.
    private func fit(to size: UInt64) throws {
        var filesystem = statvfs()
        try systemCall { unsafe statvfs(directory.string, &filesystem) }
        let shown = UInt64(filesystem.f_blocks) * UInt64(filesystem.f_frsize)
        // The rest is what the file system takes for itself.
        if shown <= size, size - shown <= size >> 10 { return }
        // Old kernels cannot enlarge a file system with clusters. Whatever the failure was, the file system is made anew then, as for a
        // smaller pool, and what stands in the way of that is reported.
        if shown < size, let device, (try? enlarge(device, to: size)) != nil { return }
        try Mount.unmount(try resolved() ?? directory)
        try make(size)
    }

    private func enlarge(_ device: DeviceNumber, to size: UInt64) throws {
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
