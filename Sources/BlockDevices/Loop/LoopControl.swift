internal import CShims
internal import SystemCalls
internal import SystemPackage

/// The kernel's `/dev/loop-control`, which hands out loop devices.
struct LoopControl: ~Copyable {
    static let path: FilePath = "/dev/loop-control"
    /// Major 10, minor 237: fixed for ever in the kernel's list of device numbers.
    private static let number: dev_t = 10 << 8 | 237

    private let descriptor: FileDescriptor

    /// Opens the control node; opening it makes the kernel load its module.
    init() throws(BlockDeviceError) {
        do {
            descriptor = try Self.open()
        } catch {
            switch error {
            case .noSuchFileOrDirectory, .noSuchAddressOrDevice, .operationNotSupportedByDevice:
                throw BlockDeviceError(
                    .noLoopDevices, "open", Self.path, errno: error,
                    detail: "this kernel has no loop devices: load the module with “modprobe loop”, and in a container "
                        + "pass the node in")
            default:
                throw BlockDeviceError("open", Self.path, error)
            }
        }
    }

    private static func open() throws(Errno) -> FileDescriptor {
        do {
            return try FileDescriptor.open(path, .readWrite, options: .closeOnExec)
        } catch {
            guard error as? Errno == .noSuchFileOrDirectory else { throw (error as? Errno) ?? .ioError }
        }
        // The node by which the module is loaded is missing: no udevd runs, or a container has a /dev of its own.
        var isOurs = true
        do {
            try systemCall { unsafe path.withPlatformString { unsafe mknod($0, S_IFCHR | 0o600, number) } }
        } catch {
            // Another process may have made the node first.
            guard error == .fileExists else { throw .noSuchFileOrDirectory }
            isOurs = false
        }
        do {
            return try FileDescriptor.open(path, .readWrite, options: .closeOnExec)
        } catch {
            // A node without a driver would only mislead other programs.
            if isOurs { _ = unsafe path.withPlatformString { unsafe unlink($0) } }
            throw (error as? Errno) ?? .ioError
        }
    }

    deinit {
        try? descriptor.close()
    }

    /// The index of a loop device with nothing behind it, which is made if there is none.
    ///
    /// Another process may be given the same one.
    ///
    /// The corresponding ioctl is `LOOP_CTL_GET_FREE`.
    func freeIndex() throws(BlockDeviceError) -> Int {
        var index: CInt = 0
        do {
            try unsafe requireSuccess(dmshim_ioctl_number(descriptor.rawValue, UInt(LOOP_CTL_GET_FREE), &index))
        } catch {
            guard error == .noSpace || error == .noSuchAddressOrDevice || error == .noMemory else {
                throw BlockDeviceError("get a free loop device from", Self.path, error)
            }
            throw BlockDeviceError(
                .noLoopDevices, "get a free loop device from", Self.path, errno: error,
                detail: "none is left; “losetup --list” shows what stands behind them")
        }
        return Int(index)
    }
}
