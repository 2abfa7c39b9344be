internal import BlockDevices
internal import CShims
internal import DeviceMapper
internal import SystemCalls
internal import SystemPackage

/// The sparse files behind a pool on loop devices.
enum PoolFile {
    /// How long to wait until a file is not attached any more.
    private static let patience = Duration.seconds(5)

    /// Makes a file of `size` bytes, or enlarges one that is shorter, durably; a longer one stays as it is.
    static func make(_ path: FilePath, size: UInt64) throws(LayerStoreError) {
        do {
            let file = try FileDescriptor.open(
                path, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
            try file.closeAfter {
                if UInt64(clamping: try Stat(file).size) < size {
                    try systemCall { ftruncate(file.rawValue, off_t(clamping: size)) }
                }
                try systemCall { fsync(file.rawValue) }
            }
        } catch {
            throw LayerStoreError(
                (error as? Errno) == .noSpace ? .notEnoughSpace : .backingStore,
                "cannot make \(path) with \(ByteSize.decimal(size)): \(error)", underlying: error)
        }
    }

    /// The size of a file in bytes.
    ///
    /// - Throws: ``LayerStoreError/Code/backingStore`` when it cannot be found.
    static func size(of path: FilePath) throws(LayerStoreError) -> UInt64 {
        do {
            return UInt64(clamping: try Stat(path).size)
        } catch {
            throw LayerStoreError(
                .backingStore, "\(path) cannot be read: \(error); without it the layers are lost", underlying: error)
        }
    }

    /// The size of a file in bytes, which must not be below what it was made with.
    ///
    /// - Throws: ``LayerStoreError/Code/backingStore`` when it cannot be found, or was cut short.
    static func size(of path: FilePath, atLeast expectedSize: UInt64) throws(LayerStoreError) -> UInt64 {
        let size = try size(of: path)
        guard size >= expectedSize else {
            throw LayerStoreError(
                .backingStore,
                "\(path) has \(size) bytes and was made with \(expectedSize); it was cut short. Restore it from a backup: "
                    + "making it longer does not bring back what was in the missing part")
        }
        return size
    }

    /// Whether a device is a loop device with the file at `path` behind it, under whatever name it was attached.
    static func isBehind(_ number: DeviceNumber, _ path: FilePath) throws -> Bool {
        // A file that is not there is behind nothing, and a device that is not a loop device has no file.
        guard let file = try? Stat(path), let loop = try? LoopDevice(number: number) else { return false }
        defer { loop.close() }
        let status = try loop.status()
        return status.backingInode == file.inode.rawValue && status.backingDevice == DeviceNumber(file.deviceID)
    }

    /// The path of the file behind a loop device, as the kernel has it, with “ (deleted)” behind it where that is so.
    static func name(behind number: DeviceNumber) -> String? {
        // A device that is none, or has none, has no such file.
        try? PseudoFile.readLine(FilePath("/sys/dev/block/\(number)/loop/backing_file"))
    }

    /// How many bytes the file system of a file has left.
    static func freeSpace(under path: FilePath) throws(LayerStoreError) -> UInt64 {
        var status = statvfs()
        do {
            try systemCall { unsafe statvfs(path.string, &status) }
        } catch {
            throw LayerStoreError(.backingStore, "cannot ask for free space at \(path): \(error)", underlying: error)
        }
        return UInt64(status.f_bfree) * UInt64(status.f_bsize)
    }

    /// Gives the beginning of a file its place on the disk, as far as there is room.
    ///
    /// Nothing depends on it: a file system that cannot do this leaves the file as it is.
    static func reserve(_ path: FilePath, length: UInt64) {
        // It saves trouble on a full disk only.
        guard let file = try? FileDescriptor.open(path, .readWrite, options: .closeOnExec) else { return }
        _ = try? file.closeAfter { dmshim_allocate(file.rawValue, Int64(clamping: length)) }
    }

    /// Has a metadata file take its place on the disk for what is used and up to 64 MiB more.
    ///
    /// The kernel fills metadata from its beginning.
    static func reserveMetadata(_ metadata: FilePath, used: UInt64) throws(LayerStoreError) {
        let file = try FileSpace(of: metadata)
        let ahead = FileSpace.metadataAhead(diskFree: file.diskFree)
        guard file.allocated < min(file.size, used + ahead / 2) else { return }
        reserve(metadata, length: min(file.size, used + ahead))
    }

    /// Attaches a file to a loop device, if it is as long as it was made and nothing else stands on it.
    ///
    /// - Throws: ``LayerStoreError/Code/backingStore`` with what is wrong.
    static func attach(_ path: FilePath, expectedSize: UInt64, isReadOnly: Bool) throws -> LoopDevice {
        _ = try size(of: path, atLeast: expectedSize)
        for other in try LoopDevice.attached(to: path) {
            defer { other.close() }
            let holders = try DeviceHolder.holders(of: other.number).map(\.description)
            guard holders.isEmpty else {
                throw LayerStoreError(
                    .backingStore,
                    "\(path) is in use already, through \(other.path) by \(holders.joined(separator: ", ")); "
                        + "two pools on the same file destroy it")
            }
        }
        return try attach(path, isReadOnly: isReadOnly)
    }

    /// Attaches a file, and waits for the loop device of the last activation if it is still there.
    ///
    /// A program that examines every new device, or an operation that asks for the state of the pool, keeps the device open
    /// for a moment. On a busy machine this can be seconds.
    private static func attach(_ path: FilePath, isReadOnly: Bool) throws(BlockDeviceError) -> LoopDevice {
        let options = LoopDevice.AttachmentOptions(isReadOnly: isReadOnly)
        let loop: LoopDevice? = try waiting(until: .after(patience)) { () throws(BlockDeviceError) in
            do throws(BlockDeviceError) {
                return try LoopDevice.attach(path, options: options)
            } catch {
                guard error.code == .alreadyAttached else { throw error }
                return nil
            }
        }
        // The refusal of the last attempt says what to do.
        if let loop { return loop }
        return try LoopDevice.attach(path, options: options)
    }
}
