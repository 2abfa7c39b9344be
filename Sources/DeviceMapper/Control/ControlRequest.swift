internal import SystemCalls

/// One command before it is written into a buffer.
struct ControlRequest {
    let command: ControlCommand
    var name: [UInt8] = []
    var uuid: [UInt8] = []
    var number: DeviceNumber?
    var flags: ControlFlags = []
    /// The number of an event, or the cookie for udev with its flags: the kernel has one field for both.
    var eventNumber: UInt32 = 0
    var targetCount: UInt32 = 0
    var payload: [UInt8] = []
    /// Bytes that the answer may need behind the request's own payload.
    var answerCapacity = 0
    /// The name of the command's subject in errors.
    var subject: String?

    init(_ command: ControlCommand) {
        self.command = command
        if command.mayCarrySecrets { flags = .secureData }
    }

    init(_ command: ControlCommand, _ device: DeviceReference, flags: ControlFlags = []) {
        self.init(command)
        self.flags.formUnion(flags)
        subject = device.description
        switch device {
        case .name(let name): self.name = name.bytes
        case .uuid(let uuid): self.uuid = uuid.bytes
        case .number(let number): self.number = number
        }
    }

    /// Overwrites the payload, which may hold a key.
    ///
    /// The text that the caller gave stays in memory: a Swift string cannot be overwritten.
    mutating func wipePayload() {
        unsafe payload.withUnsafeMutableBytes { bytes in
            if let start = bytes.baseAddress { unsafe explicit_bzero(start, bytes.count) }
        }
    }

    /// The size of the request in a buffer.
    var size: Int { RequestBuffer.headerSize + payload.count + answerCapacity }
}

/// The fixed part of an answer.
struct AnswerHeader {
    let version: InterfaceVersion
    let dataSize: UInt32
    let dataStart: UInt32
    let targetCount: UInt32
    let openCount: Int32
    let flags: ControlFlags
    let eventNumber: UInt32
    let number: DeviceNumber
    let name: [UInt8]
    let uuid: [UInt8]
}
