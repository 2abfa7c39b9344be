internal import SystemPackage

/// The device mapper of this kernel: all commands of its control node.
///
/// Every method is one ioctl on `/dev/mapper/control` (twice or more when a listing did not fit into the buffer), is
/// synchronous, and may be called from any thread. Several of them sleep for milliseconds in the kernel, so they do not
/// belong on an event loop or on Swift's cooperative threads.
public final class Control: Sendable {
    /// The size of a request's buffer in bytes until an answer needs more.
    public static let defaultBufferSize = 16 * 1024

    private let transport: any ControlTransport
    private let buffers: RequestBufferPool

    /// Uses `transport` for every command.
    ///
    /// - Parameters:
    ///   - transport: How a command reaches the kernel.
    ///   - bufferSize: Bytes of a buffer before it grows.
    public init(transport: any ControlTransport, bufferSize: Int = Control.defaultBufferSize) {
        self.transport = transport
        buffers = RequestBufferPool(initialSize: bufferSize)
    }

    /// Opens `/dev/mapper/control`.
    ///
    /// - Throws: ``DeviceMapperError/Code/noDeviceMapper`` or ``DeviceMapperError/Code/notPermitted``.
    public convenience init() throws(DeviceMapperError) {
        self.init(transport: try KernelTransport())
    }

    // MARK: The kernel

    /// The version of the kernel's interface.
    ///
    /// The corresponding ioctl is `DM_VERSION`.
    public func version() throws(DeviceMapperError) -> InterfaceVersion {
        try perform(ControlRequest(.version)) { header, _ throws(DeviceMapperError) in header.version }
    }

    /// The targets that the kernel has loaded, with their versions.
    ///
    /// The corresponding ioctl is `DM_LIST_VERSIONS`.
    public func targetVersions() throws(DeviceMapperError) -> [TargetVersion] {
        try perform(ControlRequest(.listTargetVersions)) { _, payload throws(DeviceMapperError) in
            try payload().targetVersions()
        }
    }

    /// The version of one target, whose module is loaded if need be.
    ///
    /// The corresponding ioctl is `DM_GET_TARGET_VERSION` (interface 4.41).
    ///
    /// - Throws: ``DeviceMapperError/Code/notSupported`` when the kernel has no such target.
    public func targetVersion(of target: String) throws(DeviceMapperError) -> TargetVersion {
        let longestTargetName = 15
        guard !target.isEmpty, target.utf8.count <= longestTargetName, !target.utf8.contains(0) else {
            throw DeviceMapperError(.invalidName, device: target, detail: "a target's name has 1 to 15 bytes")
        }
        var request = ControlRequest(.targetVersion)
        request.name = Array(target.utf8)
        request.subject = target
        do {
            return try perform(request) { _, payload throws(DeviceMapperError) in
                guard let version = try payload().targetVersions().first else {
                    throw DeviceMapperError(.malformedAnswer, command: .targetVersion, device: target)
                }
                return version
            }
        } catch  where error.errno == .invalidArgument {
            throw DeviceMapperError(
                .notSupported, command: .targetVersion, device: target, errno: error.errno,
                detail: "the kernel has no such target and no module for it")
        }
    }

    /// Arms this control node's descriptor for `poll(2)`.
    ///
    /// The corresponding ioctl is `DM_DEV_ARM_POLL`.
    func armPoll() throws(DeviceMapperError) {
        try perform(ControlRequest(.armPoll))
    }

    // MARK: One command

    func perform(_ request: ControlRequest) throws(DeviceMapperError) {
        try perform(request) { _, _ throws(DeviceMapperError) in }
    }

    /// Sends `request`, with a larger buffer as often as the answer does not fit, and reads the answer.
    ///
    /// - Parameter read: Gets the header of the answer, and the payload when it asks for it.
    func perform<Result>(
        _ request: ControlRequest,
        read: (AnswerHeader, () throws(DeviceMapperError) -> AnswerPayload) throws(DeviceMapperError) -> Result
    ) throws(DeviceMapperError) -> Result {
        guard request.size <= RequestBuffer.maximumSize else {
            throw DeviceMapperError(
                .failed, command: request.command, device: request.subject,
                detail: "the request has \(request.size) bytes, the kernel takes \(RequestBuffer.maximumSize)")
        }
        return try buffers.withBuffer { buffer throws(DeviceMapperError) in
            var dataSize = self.dataSize(for: request, in: buffer)
            defer { if request.flags.contains(.secureData) { buffer.wipe(dataSize) } }
            while true {
                buffer.grow(to: dataSize)
                let header = try send(request, in: buffer, dataSize: dataSize)
                guard header.flags.contains(.bufferFull) else {
                    do throws(DeviceMapperError) {
                        return try read(header) { () throws(DeviceMapperError) in try buffer.payload(of: header) }
                    } catch  where error.code == .malformedAnswer {
                        throw DeviceMapperError(
                            .malformedAnswer, command: request.command, device: request.subject, detail: error.detail)
                    }
                }
                guard request.command.mayBeRepeated, dataSize < RequestBuffer.maximumSize else {
                    throw DeviceMapperError(
                        .answerTooLarge, command: request.command, device: request.subject,
                        detail: "it was carried out, but its answer is larger than \(dataSize) bytes")
                }
                dataSize = min(dataSize * 2, RequestBuffer.maximumSize)
            }
        }
    }

    /// How much of a buffer goes to the kernel, which copies all of it in both directions.
    private func dataSize(for request: ControlRequest, in buffer: RequestBuffer) -> Int {
        switch request.command {
        // The caller says how long an answer is.
        case .targetMessage: request.size
        // A list is about as long as the last one, for which the buffer has grown.
        case .listDevices: buffer.size
        default: max(buffers.initialSize, request.size)
        }
    }

    private func send(
        _ request: ControlRequest, in buffer: RequestBuffer, dataSize: Int
    ) throws(DeviceMapperError) -> AnswerHeader {
        buffer.write(request, dataSize: dataSize)
        if request.command.isExplainedInLog { buffer.log.skipToEnd() }
        guard let errno = unsafe transport.perform(request.command, request: buffer.memory) else {
            return buffer.header
        }
        throw DeviceMapperError(
            errno, command: request.command, device: request.subject,
            kernelReason: request.command.isExplainedInLog ? buffer.log.reasons(about: request.number) : [])
    }
}
