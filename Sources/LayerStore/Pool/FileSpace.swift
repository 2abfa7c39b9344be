internal import BlockDevices
internal import SystemCalls
public import SystemPackage
internal import ThinProvisioning

/// The space that a sparse file has on its disk, and what that disk has left.
public struct FileSpace: Hashable, Sendable {
    /// The file.
    public let path: FilePath
    /// How long the file is in bytes: what it promises to hold.
    public let size: UInt64
    /// How many bytes of it have a place on the disk.
    public let allocated: UInt64
    /// How many bytes its file system has left, those that are kept for root included.
    public let diskFree: UInt64
    /// How many bytes its file system has.
    public let diskSize: UInt64
    /// Tells the file system from others.
    let disk: UInt64

    /// Asks for the space of a file.
    ///
    /// - Throws: ``LayerStoreError/Code/backingStore`` when the file cannot be found.
    init(of path: FilePath) throws(LayerStoreError) {
        var disk = statvfs()
        do {
            let status = try Stat(path)
            try systemCall { unsafe statvfs(path.string, &disk) }
            size = UInt64(clamping: status.size)
            allocated = UInt64(clamping: status.sizeAllocated)
            self.disk = UInt64(status.deviceID.rawValue)
        } catch {
            throw LayerStoreError(.backingStore, "cannot ask for the space of \(path): \(error)", underlying: error)
        }
        self.path = path
        diskFree = UInt64(disk.f_bfree) * UInt64(disk.f_bsize)
        diskSize = UInt64(disk.f_blocks) * UInt64(disk.f_bsize)
    }

    /// For a test of what follows from the figures.
    public init(path: FilePath, size: UInt64, allocated: UInt64, diskFree: UInt64, diskSize: UInt64, disk: UInt64 = 0) {
        self.path = path
        self.size = size
        self.allocated = allocated
        self.diskFree = diskFree
        self.diskSize = diskSize
        self.disk = disk
    }

    /// How many bytes the file promises beyond those that have a place on the disk.
    public var unallocated: UInt64 { size > allocated ? size - allocated : 0 }

    /// How many bytes a pool that uses so much of the file can really take: what it has free, as far as the disk goes.
    func available(for usage: BlockUsage) -> UInt64 {
        let inPlace = allocated > usage.usedBytes ? allocated - usage.usedBytes : 0
        return min(usage.freeBytes, inPlace + diskFree)
    }
    /// The bytes that the pool can take, and the minimum: `percent` of all that it can hold on the disk.
    ///
    /// - Returns: `nil` when enough is free, or when the file is allocated on the disk and only the pool itself counts.
    func shortage(for usage: BlockUsage, percent: Int) -> (available: UInt64, minimum: UInt64)? {
        let available = available(for: usage)
        guard percent > 0, available < usage.freeBytes else { return nil }
        let minimum = max(1, (usage.usedBytes + available) / 100 * UInt64(percent))
        return available < minimum ? (available, minimum) : nil
    }
}

extension BlockUsage {
    /// The blocks that must be free so that `percent` of all are.
    func minimumFree(percent: Int) -> UInt64 {
        guard percent > 0 else { return 0 }
        return max(1, total / 100 * UInt64(percent) + total % 100 * UInt64(percent) / 100)
    }
}
