public import SystemPackage

/// A command of the device mapper that could not be carried out.
public struct DeviceMapperError: Error, Hashable, Sendable {
    /// The kind of a failure, on which a program can decide.
    public struct Code: Hashable, Sendable {
        private enum Value: Hashable {
            case noDeviceMapper, notPermitted, noSuchDevice, busy, alreadyExists, noSuchThing, invalidName
            case invalidTable, notSupported, malformedAnswer, answerTooLarge, timedOut, readOnly, outOfSpace,
                invalidArgument
            case interrupted, failed
        }
        private let value: Value

        /// The kernel has no device mapper, or its control node cannot be reached.
        public static let noDeviceMapper = Code(value: .noDeviceMapper)
        /// The caller lacks `CAP_SYS_ADMIN` in the initial user namespace.
        public static let notPermitted = Code(value: .notPermitted)
        /// No device has this name, uuid or number (`ENXIO`).
        public static let noSuchDevice = Code(value: .noSuchDevice)
        /// Something else uses the device, the name, the uuid or the number (`EBUSY`).
        public static let busy = Code(value: .busy)
        /// The thing to be made exists already (`EEXIST`).
        public static let alreadyExists = Code(value: .alreadyExists)
        /// The thing that the message names does not exist (`ENODATA`).
        public static let noSuchThing = Code(value: .noSuchThing)
        /// The name or uuid cannot be given to a device.
        public static let invalidName = Code(value: .invalidName)
        /// The text is no mapping table.
        public static let invalidTable = Code(value: .invalidTable)
        /// The kernel is too old for the command, or the target does not know the message.
        public static let notSupported = Code(value: .notSupported)
        /// The kernel's answer does not have the form that its version promises.
        public static let malformedAnswer = Code(value: .malformedAnswer)
        /// The answer did not fit into the buffer and must not be asked for again, or exceeds every limit.
        public static let answerTooLarge = Code(value: .answerTooLarge)
        /// The event that the call waited for did not happen in time.
        public static let timedOut = Code(value: .timedOut)
        /// The target takes no changes, because it is read-only or has failed (`EOPNOTSUPP`, `EPERM`, `EROFS`).
        public static let readOnly = Code(value: .readOnly)
        /// A pool has no free block left (`ENOSPC`), or what was asked for would wait until it has.
        public static let outOfSpace = Code(value: .outOfSpace)
        /// The kernel or the target does not accept the parameters or the message (`EINVAL`).
        public static let invalidArgument = Code(value: .invalidArgument)
        /// A signal ended the command before it had an effect (`EINTR`).
        public static let interrupted = Code(value: .interrupted)
        /// Any other refusal; ``DeviceMapperError/errno`` tells which.
        public static let failed = Code(value: .failed)
    }

    /// The kind of the failure.
    public let code: Code
    /// The command that was refused, if one was sent.
    public let command: ControlCommand?
    /// The attempt, to complete “cannot …”, where it was no command of the control node.
    public let attempt: String?
    /// The name, uuid or number of the device, or the text that was not accepted as one.
    public let device: String?
    /// The kernel's error number.
    public let errno: Errno?
    /// Further facts about the refusal.
    public let detail: String?
    /// The lines that the kernel logged while it refused the command, oldest first.
    public let kernelReason: [String]

    /// Makes an error that no command of the kernel has raised.
    public init(
        _ code: Code, command: ControlCommand? = nil, attempt: String? = nil, device: String? = nil,
        errno: Errno? = nil, detail: String? = nil, kernelReason: [String] = []
    ) {
        self.code = code
        self.command = command
        self.attempt = attempt
        self.device = device
        self.errno = errno
        self.detail = detail
        self.kernelReason = kernelReason
    }

    /// Makes the error for an errno that the kernel answered `command` with.
    init(_ errno: Errno, command: ControlCommand, device: String?, kernelReason: [String]) {
        let code: Code
        var detail: String?
        switch errno {
        case .permissionDenied:
            code = .notPermitted
            detail = "device mapper commands need root (CAP_SYS_ADMIN in the initial user namespace)"
        case .noSuchAddressOrDevice where command == .createDevice:
            code = .busy
        case .noSuchAddressOrDevice where command != .loadTable || kernelReason.isEmpty:
            code = .noSuchDevice
        case .resourceBusy:
            code = .busy
        case .fileExists:
            code = .alreadyExists
        case .noData:
            code = .noSuchThing
        case .notSupported, .notPermitted, .readOnlyFileSystem:
            code = .readOnly
        case .noSpace:
            code = .outOfSpace
        case .invalidArgument:
            code = .invalidArgument
        case .interrupted:
            code = .interrupted
        case .inappropriateIOCTLForDevice:
            code = .notSupported
            detail = "the kernel is older than this command, which came with interface \(command.minimumVersion)"
        default:
            code = .failed
        }
        self.init(
            code, command: command, device: device, errno: errno, detail: detail, kernelReason: kernelReason)
    }
}

extension DeviceMapperError {
    /// The same error, with the device named as the caller knows it.
    func about(_ device: String) -> DeviceMapperError {
        DeviceMapperError(
            code, command: command, attempt: attempt, device: device, errno: errno, detail: detail,
            kernelReason: kernelReason)
    }
}

extension DeviceMapperError: CustomStringConvertible {
    /// The attempt, the device, the reason of the failure, and the kernel's own words if the kernel logged any.
    public var description: String {
        var parts: [String] = []
        if let purpose = command?.purpose ?? attempt {
            parts.append("cannot \(purpose)" + (device.map { " \($0)" } ?? ""))
        } else if let device {
            parts.append("“\(device)”")
        }
        if let errno { parts.append(meaning(of: errno)) }
        if let detail { parts.append(detail) }
        if !kernelReason.isEmpty { parts.append("the kernel says: \(kernelReason.joined(separator: "; "))") }
        return parts.joined(separator: ": ")
    }

    private func meaning(of errno: Errno) -> String {
        switch errno {
        case .resourceBusy where command == .createDevice:
            "a device with this name or uuid exists already (EBUSY)"
        case .noSuchAddressOrDevice where command == .createDevice:
            "the minor number is taken, or none is left (ENXIO)"
        case .resourceBusy where command == .renameDevice:
            "another device has this name or uuid already (EBUSY)"
        case .noSuchAddressOrDevice: "there is no such device (ENXIO)"
        case .resourceBusy: "it is in use (EBUSY)"
        case .fileExists: "it exists already (EEXIST)"
        case .noData: "it does not exist (ENODATA)"
        case .invalidArgument: "the kernel does not accept it (EINVAL)"
        case .noSpace: "no space is left (ENOSPC)"
        case .notSupported: "the target takes no changes in its present mode (EOPNOTSUPP)"
        default: "\(errno) (errno \(errno.rawValue))"
        }
    }
}
