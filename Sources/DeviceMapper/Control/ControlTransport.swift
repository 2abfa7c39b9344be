internal import CShims
public import SystemPackage

/// The one place where a command leaves for the kernel.
///
/// A program uses ``KernelTransport``. A test wraps it to record, delay or fail the n-th command on a real kernel.
public protocol ControlTransport: Sendable {
    /// Carries out `command`.
    ///
    /// - Parameters:
    ///   - command: The command.
    ///   - request: A `struct dm_ioctl` and its payload, which the kernel overwrites with its answer.
    /// - Returns: `nil` when the kernel carried the command out, otherwise its error number.
    func perform(_ command: ControlCommand, request: UnsafeMutableRawBufferPointer) -> Errno?
}

/// Sends commands to `/dev/mapper/control`.
public final class KernelTransport: ControlTransport {
    /// The control node's usual path.
    public static let controlPath: FilePath = "/dev/mapper/control"

    let descriptor: FileDescriptor

    /// Opens the control node; opening it makes the kernel load its module.
    ///
    /// - Throws: ``DeviceMapperError/Code/noDeviceMapper`` when the node is missing or has no driver behind it,
    ///   ``DeviceMapperError/Code/notPermitted`` when the caller may not open it.
    public init(path: FilePath = KernelTransport.controlPath) throws(DeviceMapperError) {
        do {
            descriptor = try FileDescriptor.open(path, .readWrite, options: .closeOnExec)
        } catch {
            throw Self.error(opening: path, (error as? Errno) ?? .ioError)
        }
    }

    deinit {
        // The descriptor carries no unwritten data; there is nothing to do about a failure.
        try? descriptor.close()
    }

    /// Issues the ioctl.
    public func perform(_ command: ControlCommand, request: UnsafeMutableRawBufferPointer) -> Errno? {
        let error = unsafe dmshim_ioctl(descriptor.rawValue, command.rawValue, request.baseAddress)
        return error == 0 ? nil : Errno(rawValue: error)
    }

    private static func error(opening path: FilePath, _ errno: Errno) -> DeviceMapperError {
        let code: DeviceMapperError.Code
        let detail: String
        switch errno {
        case .permissionDenied, .notPermitted:
            code = .notPermitted
            detail = "device mapper commands need root; run it as root"
        case .noSuchFileOrDirectory:
            code = .noDeviceMapper
            detail = "load the module with “modprobe dm_mod”; in a container, pass the node in"
        default:
            code = .noDeviceMapper
            detail = "this kernel has no device mapper, unless “modprobe dm_mod” loads it"
        }
        return DeviceMapperError(code, attempt: "open \(path)", errno: errno, detail: detail)
    }
}
