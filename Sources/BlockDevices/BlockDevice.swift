internal import CShims
public import DeviceMapper
internal import Synchronization
internal import SystemCalls
public import SystemPackage

/// An open block device.
///
/// It is open until ``close()`` or until the last reference to it is gone, whichever comes first; whoever needs it open
/// for its own sake, as an exclusive claim or as what keeps a loop device attached, ends with ``close()``.
public final class BlockDevice: Sendable {
    /// The operations that an open device allows.
    public enum Access: Hashable, Sendable {
        /// Reading, and the queries.
        case readOnly
        /// Reading, writing, discarding.
        case readWrite
    }

    /// The device's number, taken from the open device.
    public let number: DeviceNumber
    /// The path it was opened by.
    public let path: FilePath

    private let open: Mutex<OpenDescriptor?>

    /// Opens the block device at `path`.
    ///
    /// - Parameters:
    ///   - path: A device node, or a link to one.
    ///   - access: The operations that the device must allow.
    ///   - isExclusive: Claims the device: it fails while a file system, a mapping, swap or another such claim holds the
    ///     device, and keeps them off it until the device is closed (`O_EXCL`). Plain opens are not kept off.
    /// - Throws: ``BlockDeviceError`` with the code `notFound`, `notABlockDevice`, `notPermitted`, `readOnly`, or
    ///   `inUse` for an exclusive open of a device that something holds.
    public init(
        _ path: FilePath, _ access: Access = .readOnly, isExclusive: Bool = false
    ) throws(BlockDeviceError) {
        // Before it is opened, since opening a FIFO would wait for its other end.
        try Self.requireBlockDevice(path) { () throws(Errno) in try Stat(path) }
        var options: FileDescriptor.OpenOptions = .closeOnExec
        if isExclusive { options.insert(.exclusiveCreate) }
        let held: OpenDescriptor
        do {
            held = OpenDescriptor(
                try FileDescriptor.open(path, access == .readOnly ? .readOnly : .readWrite, options: options))
        } catch {
            throw Self.error(opening: path, (error as? Errno) ?? .ioError)
        }
        let status = try Self.requireBlockDevice(path) { () throws(Errno) in try Stat(held.descriptor) }
        number = DeviceNumber(status.specialDeviceID)
        self.path = path
        open = Mutex(held)
    }

    /// Closes the device.
    ///
    /// Operations that are under way on other threads end first; later ones throw ``BlockDeviceError/Code/closed``.
    public func close() {
        open.withLock { $0 = nil }
    }

    @discardableResult
    private static func requireBlockDevice(
        _ path: FilePath, _ read: () throws(Errno) -> Stat
    ) throws(BlockDeviceError) -> Stat {
        let status: Stat
        do { status = try read() } catch { throw BlockDeviceError("open", path, error) }
        let kind: String
        switch status.type {
        case .blockSpecial: return status
        case .directory: kind = "a directory"
        case .regular: kind = "a regular file"
        case .characterSpecial: kind = "a character device"
        default: kind = "something else"
        }
        throw BlockDeviceError(.notABlockDevice, "open", path, detail: "a block device is needed, this is \(kind)")
    }

    private static func error(opening path: FilePath, _ errno: Errno) -> BlockDeviceError {
        switch errno {
        case .noSuchAddressOrDevice, .operationNotSupportedByDevice:
            BlockDeviceError("open", path, errno, detail: "the node is there, but no device stands behind it")
        case .permissionDenied where geteuid() == 0, .notPermitted where geteuid() == 0:
            BlockDeviceError("open", path, errno, detail: "in a container the device must be allowed by its cgroup")
        default:
            BlockDeviceError("open", path, errno)
        }
    }
}

extension BlockDevice {
    /// The size in bytes.
    ///
    /// The corresponding ioctl is `BLKGETSIZE64`.
    ///
    /// - Throws: ``BlockDeviceError``.
    public func size() throws(BlockDeviceError) -> UInt64 {
        var bytes: UInt64 = 0
        try perform("read the size of") { unsafe dmshim_block_size($0, &bytes) }
        return bytes
    }

    /// The smallest unit that the device reads and writes, in bytes; every range must be aligned to it.
    ///
    /// The corresponding ioctl is `BLKSSZGET`.
    ///
    /// - Throws: ``BlockDeviceError``.
    public func logicalBlockSize() throws(BlockDeviceError) -> Int {
        var bytes: CInt = 0
        try perform("read the block size of") { unsafe dmshim_block_logical_block_size($0, &bytes) }
        return Int(bytes)
    }

    /// Whether the device refuses writes.
    ///
    /// The corresponding ioctl is `BLKROGET`.
    ///
    /// - Throws: ``BlockDeviceError``.
    public func isReadOnly() throws(BlockDeviceError) -> Bool {
        var flag: CInt = 0
        try perform("read the state of") { unsafe dmshim_block_read_only($0, &flag) }
        return flag != 0
    }

    /// Gives up the content of a range, so that what stands below may use the space otherwise.
    ///
    /// The corresponding ioctl is `BLKDISCARD`.
    ///
    /// - Parameters:
    ///   - offset: The first byte, a multiple of the logical block size.
    ///   - length: How many bytes, a multiple of it too.
    /// - Throws: ``BlockDeviceError`` with the code `notSupported` when the device takes no discards, `outOfRange`, or
    ///   another one.
    public func discard(offset: UInt64, length: UInt64) throws(BlockDeviceError) {
        try requireRange("discard a range of", offset: offset, length: length)
        try perform("discard a range of") { dmshim_block_discard($0, offset, length) }
    }

    /// Fills a range with zeros and waits until they are on the medium.
    ///
    /// The corresponding ioctl is `BLKZEROOUT`, which is seen by those who read past the page cache too.
    ///
    /// - Parameters:
    ///   - offset: The first byte, a multiple of the logical block size.
    ///   - length: How many bytes, a multiple of it too.
    /// - Throws: ``BlockDeviceError``, with the code `outOfRange` among others.
    public func zero(offset: UInt64, length: UInt64) throws(BlockDeviceError) {
        try requireRange("write zeros to", offset: offset, length: length)
        try perform("write zeros to") { dmshim_block_zero($0, offset, length) }
        try flush()
    }

    /// Writes out what the page cache holds of the device, and has the device empty its own cache.
    ///
    /// It blocks; on a thin device of a full pool, until the pool is larger.
    ///
    /// The corresponding C function is `fsync`.
    ///
    /// - Throws: ``BlockDeviceError`` when something could not be written.
    public func flush() throws(BlockDeviceError) {
        let held = try holdDescriptor("flush")
        defer { withExtendedLifetime(held) {} }
        do {
            try systemCall { fsync(held.descriptor.rawValue) }
        } catch {
            throw BlockDeviceError("flush", path, error)
        }
    }

    /// Reads `count` bytes, fewer at the end of the device.
    ///
    /// The corresponding C function is `pread`.
    ///
    /// - Parameters:
    ///   - offset: The first byte; no alignment is needed.
    ///   - count: How many bytes.
    /// - Throws: ``BlockDeviceError``.
    public func read(offset: UInt64, count: Int) throws(BlockDeviceError) -> [UInt8] {
        guard count >= 0 else {
            throw BlockDeviceError(.outOfRange, "read", path, detail: "offset \(offset), \(count) bytes")
        }
        let size = try size()
        guard offset < size, let start = Int64(exactly: offset) else { return [] }
        let count = Int(clamping: min(UInt64(count), size - offset))
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        let held = try holdDescriptor("read")
        while done < count {
            do {
                let read = try unsafe bytes.withUnsafeMutableBytes { buffer in
                    try unsafe held.descriptor.read(
                        fromAbsoluteOffset: start + Int64(done),
                        into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))
                }
                if read == 0 { break }
                done += read
            } catch {
                throw BlockDeviceError("read", path, (error as? Errno) ?? .ioError)
            }
        }
        bytes.removeLast(count - done)
        return bytes
    }

    /// Whether something holds the device.
    ///
    /// That may be a file system that is mounted from it, a mapping, swap, or another exclusive open. The mappings among
    /// them ``DeviceHolder`` tells.
    ///
    /// - Throws: ``BlockDeviceError`` when the device cannot be opened for another reason.
    public static func isInUse(_ path: FilePath) throws(BlockDeviceError) -> Bool {
        do {
            try BlockDevice(path, .readOnly, isExclusive: true).close()
            return false
        } catch let error where error.code == .inUse {
            return true
        }
    }
}

extension BlockDevice {
    func holdDescriptor(_ operation: String) throws(BlockDeviceError) -> OpenDescriptor {
        guard let held = open.withLock({ $0 }) else {
            throw BlockDeviceError(.closed, operation, path, detail: "it has been closed")
        }
        return held
    }

    /// Runs `body` with the descriptor; it returns 0 or the error number.
    func perform(_ operation: String, _ body: (CInt) -> CInt) throws(BlockDeviceError) {
        let held = try holdDescriptor(operation)
        let result = withExtendedLifetime(held) { body($0.descriptor.rawValue) }
        guard result == 0 else { throw BlockDeviceError(operation, path, Errno(rawValue: result)) }
    }

    private func requireRange(_ operation: String, offset: UInt64, length: UInt64) throws(BlockDeviceError) {
        let size = try size()
        let block = UInt64(max(1, try logicalBlockSize()))
        guard offset <= size, length <= size - offset, offset % block == 0, length % block == 0 else {
            throw BlockDeviceError(
                .outOfRange, operation, path,
                detail: "\(length) bytes at \(offset) of \(size), in logical blocks of \(block)")
        }
    }
}
