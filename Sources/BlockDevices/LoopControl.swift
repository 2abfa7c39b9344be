internal import CShims
internal import SystemPackage

/// The kernel's `/dev/loop-control`, which hands out loop devices.
struct LoopControl: ~Copyable {
    static let path: FilePath = "/dev/loop-control"

    private let descriptor: FileDescriptor

    /// Opens the control node; opening it makes the kernel load its module.
    init() throws(BlockDeviceError) {
        do {
            descriptor = try FileDescriptor.open(Self.path, .readWrite, options: .closeOnExec)
        } catch {
            let errno = (error as? Errno) ?? .ioError
            switch errno {
            case .noSuchFileOrDirectory, .noSuchAddressOrDevice, .operationNotSupportedByDevice:
                throw BlockDeviceError(
                    .noLoopDevices, "open", Self.path, errno: errno,
                    detail: "this kernel has no loop devices: load the module with “modprobe loop”, and in a container "
                        + "pass the node in")
            default:
                throw BlockDeviceError("open", Self.path, errno)
            }
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
        let result = dmshim_ioctl_value(descriptor.rawValue, UInt(LOOP_CTL_GET_FREE), 0)
        guard result >= 0 else {
            let errno = Errno(rawValue: -result)
            guard errno == .noSpace || errno == .noSuchAddressOrDevice || errno == .noMemory else {
                throw BlockDeviceError("get a free loop device from", Self.path, errno)
            }
            throw BlockDeviceError(
                .noLoopDevices, "get a free loop device from", Self.path, errno: errno,
                detail: "none is left; “losetup --list” shows what stands behind them")
        }
        return Int(result)
    }
}
