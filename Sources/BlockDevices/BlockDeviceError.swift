public import SystemPackage

/// An operation on a block device, or on a file that should become one, that could not be carried out.
public struct BlockDeviceError: Error, Hashable, Sendable {
    /// The kind of a failure, on which a program can decide.
    public struct Code: Hashable, Sendable {
        private enum Value: Hashable {
            case notFound, notABlockDevice, notPermitted, inUse, readOnly, closed, notSupported, outOfRange
            case noLoopDevices, unsuitableFile, alreadyAttached, notAttached, failed
        }
        private let value: Value

        /// The device or file does not exist.
        public static let notFound = Code(value: .notFound)
        /// The path leads to something that is no block device.
        public static let notABlockDevice = Code(value: .notABlockDevice)
        /// The caller lacks the right to do this, mostly `CAP_SYS_ADMIN`.
        public static let notPermitted = Code(value: .notPermitted)
        /// Something else holds the device (`EBUSY`).
        public static let inUse = Code(value: .inUse)
        /// The device, or the file system of the file, takes no writes.
        public static let readOnly = Code(value: .readOnly)
        /// The device was closed before.
        public static let closed = Code(value: .closed)
        /// The device or the kernel cannot do this.
        public static let notSupported = Code(value: .notSupported)
        /// The range is not within the device, or not aligned to its logical blocks.
        public static let outOfRange = Code(value: .outOfRange)
        /// The kernel has no loop devices, or none that is free.
        public static let noLoopDevices = Code(value: .noLoopDevices)
        /// The file cannot stand behind a loop device: a directory, an empty file, ...
        public static let unsuitableFile = Code(value: .unsuitableFile)
        /// The file stands behind a loop device already.
        public static let alreadyAttached = Code(value: .alreadyAttached)
        /// No file stands behind the loop device.
        public static let notAttached = Code(value: .notAttached)
        /// Any other failure; ``BlockDeviceError/errno`` tells which.
        public static let failed = Code(value: .failed)
    }

    /// The kind of the failure.
    public let code: Code
    /// The attempt, to be read before the path: "open", "attach a loop device to".
    public let operation: String
    /// The device or file that it was attempted on.
    public let path: FilePath
    /// The kernel's error number.
    public let errno: Errno?
    /// Further facts, and advice.
    public let detail: String?

    /// Makes an error.
    public init(_ code: Code, _ operation: String, _ path: FilePath, errno: Errno? = nil, detail: String? = nil) {
        self.code = code
        self.operation = operation
        self.path = path
        self.errno = errno
        self.detail = detail
    }

    /// Makes the error for an errno that the kernel answered with.
    init(_ operation: String, _ path: FilePath, _ errno: Errno, detail: String? = nil) {
        let code: Code
        switch errno {
        case .noSuchFileOrDirectory, .noSuchAddressOrDevice, .operationNotSupportedByDevice: code = .notFound
        case .permissionDenied, .notPermitted: code = .notPermitted
        case .resourceBusy: code = .inUse
        case .readOnlyFileSystem: code = .readOnly
        case .notSupported, .inappropriateIOCTLForDevice, .noFunction: code = .notSupported
        default: code = .failed
        }
        self.init(code, operation, path, errno: errno, detail: detail)
    }
}

extension BlockDeviceError: CustomStringConvertible {
    /// The attempt, the device, the reason of the failure, and advice where there is any.
    public var description: String {
        var text = "cannot \(operation) \(path)"
        if let errno { text += ": \(Self.meaning(of: errno))" }
        if let detail { text += ": \(detail)" }
        return text
    }

    private static func meaning(of errno: Errno) -> String {
        switch errno {
        case .noSuchFileOrDirectory: "it does not exist (ENOENT)"
        case .noSuchAddressOrDevice: "there is no such device (ENXIO)"
        case .operationNotSupportedByDevice: "there is no such device (ENODEV)"
        case .permissionDenied: "permission denied (EACCES)"
        case .notPermitted: "not permitted, it needs root (EPERM)"
        case .resourceBusy: "it is in use (EBUSY)"
        case .readOnlyFileSystem: "it is read-only (EROFS)"
        case .notSupported: "it does not support this (EOPNOTSUPP)"
        case .invalidArgument: "the kernel does not accept it (EINVAL)"
        default: "\(errno) (errno \(errno.rawValue))"
        }
    }
}
