internal import CShims
public import DeviceMapper
public import SystemPackage

/// A loop device: a block device with a file behind it.
///
/// The kernel takes the file away from a loop device that was attached here (`LO_FLAGS_AUTOCLEAR`) when the last user
/// lets go of the device. This object is such a user: keep it until something else, a pool for example, holds the
/// device, and then ``close()`` it.
public final class LoopDevice: Sendable {
    /// The open block device.
    public let device: BlockDevice

    /// The device's number.
    public var number: DeviceNumber { device.number }
    /// The path of the device's node, `/dev/loopN`.
    public var path: FilePath { device.path }

    init(_ device: BlockDevice) {
        self.device = device
    }

    /// Opens a loop device that exists, whether a file is attached to it or not.
    ///
    /// - Throws: ``BlockDeviceError`` with the code `notABlockDevice` when the number is not a loop device's, or what
    ///   opening throws.
    public convenience init(
        number: DeviceNumber, _ access: BlockDevice.Access = .readOnly
    ) throws(BlockDeviceError) {
        let device = try BlockDevice(try DeviceNode.path(of: number), access)
        guard device.number == number, number.major == UInt32(LOOP_MAJOR) else {
            throw BlockDeviceError(.notABlockDevice, "use", device.path, detail: "it is not loop device \(number)")
        }
        self.init(device)
    }

    /// Lets go of the device.
    ///
    /// The file is detached if nothing else uses the device.
    public func close() {
        device.close()
    }

    /// Takes the file away from the device, once nothing else uses the device, and closes it.
    ///
    /// The corresponding ioctl is `LOOP_CLR_FD`.
    ///
    /// - Throws: ``BlockDeviceError`` with the code `notAttached` when there was no file.
    public func detach() throws(BlockDeviceError) {
        try perform("detach the file of") { dmshim_ioctl_value($0, UInt(LOOP_CLR_FD), 0) }
        close()
    }

    /// Makes the device as large as the file behind it has become.
    ///
    /// The corresponding ioctl is `LOOP_SET_CAPACITY`.
    ///
    /// - Throws: ``BlockDeviceError`` with the code `notAttached` when there is no file.
    public func refreshCapacity() throws(BlockDeviceError) {
        try perform("change the size of") { dmshim_ioctl_value($0, UInt(LOOP_SET_CAPACITY), 0) }
    }

    /// The file behind the device, and how it is attached.
    ///
    /// The corresponding ioctl is `LOOP_GET_STATUS64`.
    ///
    /// - Throws: ``BlockDeviceError`` with the code `notAttached` when there is no file.
    public func status() throws(BlockDeviceError) -> LoopStatus {
        var information = loop_info64()
        try perform("read the status of") { unsafe dmshim_ioctl_pointer($0, UInt(LOOP_GET_STATUS64), &information) }
        return LoopStatus(information)
    }

    /// Runs `body` with the descriptor; it returns 0 or the error number.
    private func perform(_ operation: String, _ body: (CInt) -> CInt) throws(BlockDeviceError) {
        do {
            try device.perform(operation) { body($0) }
        } catch let error where error.errno == .noSuchAddressOrDevice {
            throw BlockDeviceError(
                .notAttached, operation, path, errno: error.errno, detail: "no file is attached to it")
        }
    }
}

extension LoopDevice {
    /// The loop devices that the file at `path` stands behind, each of them open, in the order of their numbers.
    ///
    /// Files are told apart by device and inode: it does not matter under which name the file was attached, or whether
    /// it has been renamed since.
    ///
    /// - Throws: ``BlockDeviceError`` when the file does not exist, or a loop device cannot be examined.
    public static func attached(to path: FilePath) throws(BlockDeviceError) -> [LoopDevice] {
        let file: Stat
        do { file = try Stat(path) } catch { throw BlockDeviceError("examine", path, error) }
        return try attached(to: file)
    }

    static func attached(to file: Stat) throws(BlockDeviceError) -> [LoopDevice] {
        let names: [FilePath.Component]
        do {
            names = try DirectoryListing.names(in: SysfsBlock.disks)
        } catch {
            throw BlockDeviceError("list", SysfsBlock.disks, error)
        }
        var found: [LoopDevice] = []
        for name in names where name.string.hasPrefix("loop") {
            let directory = SysfsBlock.disks.appending(name)
            // A device without a file has no such directory, and one that goes away meanwhile has no file.
            guard (try? Stat(directory.appending("loop/backing_file"))) != nil,
                let number = try? SysfsBlock.number(in: directory)
            else { continue }
            do {
                let device = try LoopDevice(number: number)
                let status = try device.status()
                if status.backingInode == file.inode.rawValue, status.backingDevice == DeviceNumber(file.deviceID) {
                    found.append(device)
                }
            } catch let error where error.code == .notAttached || error.code == .notFound {
                continue
            }
        }
        return found.sorted { $0.number.minor < $1.number.minor }
    }
}
