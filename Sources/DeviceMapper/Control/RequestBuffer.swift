internal import CShims
internal import SystemCalls
internal import Synchronization

/// The memory of one request and its answer: a `struct dm_ioctl` and a payload behind it.
///
/// The caller that takes a buffer from ``RequestBufferPool`` has it alone until the caller gives it back.
@safe final class RequestBuffer: @unchecked Sendable {
    static let headerSize = MemoryLayout<dm_ioctl>.size
    /// The largest request that the kernel takes: 2^20 targets of 1024 bytes.
    static let maximumSize = 1 << 30

    private(set) var memory: UnsafeMutableRawBufferPointer
    let log = KernelLog()

    init(size: Int) {
        unsafe memory = .allocate(byteCount: size, alignment: 8)
    }

    deinit {
        unsafe memory.deallocate()
    }

    var size: Int { unsafe memory.count }

    /// Makes the buffer at least `size` bytes large; what it held is overwritten.
    func grow(to size: Int) {
        guard size > self.size else { return }
        // It may hold a part of an answer that did not fit, with a key in it.
        wipe(self.size)
        unsafe memory.deallocate()
        unsafe memory = .allocate(byteCount: size, alignment: 8)
    }

    /// Overwrites the first `count` bytes, so that no key of an encrypted device stays in memory.
    func wipe(_ count: Int) {
        guard let start = unsafe memory.baseAddress else { return }
        // The compiler may leave out a write whose result the program does not read, but not this one.
        unsafe explicit_bzero(start, min(count, memory.count))
    }

    /// Writes a request of `dataSize` bytes, which must fit, with zeros behind its payload.
    ///
    /// The kernel builds its answer in a copy of the request, and some targets write no status at all: what an earlier
    /// answer left there would be taken for theirs.
    func write(_ request: ControlRequest, dataSize: Int) {
        unsafe memory[..<dataSize].initializeMemory(as: UInt8.self, repeating: 0)
        let version = request.command.minimumVersion
        unsafe memory.withMemoryRebound(to: dm_ioctl.self) { headers in
            unsafe headers[0].version = (version.major, version.minor, version.patch)
            unsafe headers[0].data_size = UInt32(dataSize)
            unsafe headers[0].data_start = UInt32(Self.headerSize)
            unsafe headers[0].target_count = request.targetCount
            unsafe headers[0].flags = request.flags.rawValue
            unsafe headers[0].event_nr = request.eventNumber
            unsafe headers[0].dev = request.number?.encoded ?? 0
        }
        write(request.name, at: MemoryLayout<dm_ioctl>.offset(of: \.name))
        write(request.uuid, at: MemoryLayout<dm_ioctl>.offset(of: \.uuid))
        write(request.payload, at: Self.headerSize)
    }

    private func write(_ bytes: [UInt8], at offset: Int?) {
        guard let offset, !bytes.isEmpty else { return }
        unsafe memory[offset...].copyBytes(from: bytes)
    }

    /// The header of the answer.
    var header: AnswerHeader {
        unsafe memory.withMemoryRebound(to: dm_ioctl.self) { headers in
            let header = unsafe headers[0]
            return AnswerHeader(
                version: InterfaceVersion(major: header.version.0, minor: header.version.1, patch: header.version.2),
                dataSize: header.data_size, dataStart: header.data_start, targetCount: header.target_count,
                openCount: header.open_count, flags: ControlFlags(rawValue: header.flags),
                eventNumber: header.event_nr, number: DeviceNumber(encoded: header.dev),
                name: field(at: MemoryLayout<dm_ioctl>.offset(of: \.name), length: Int(DM_NAME_LEN)),
                uuid: field(at: MemoryLayout<dm_ioctl>.offset(of: \.uuid), length: Int(DM_UUID_LEN)))
        }
    }

    private func field(at offset: Int?, length: Int) -> [UInt8] {
        guard let offset else { return [] }
        return unsafe Array(memory[offset..<offset + length].prefix { $0 != 0 })
    }

    /// The kernel's answer behind the header; empty when there is none, as for the table of a device without one.
    func payload(of header: AnswerHeader) throws(DeviceMapperError) -> AnswerPayload {
        let start = Int(header.dataStart)
        let end = Int(header.dataSize)
        // An answer without a payload counts the header alone, in some commands without its padding.
        if end <= start { return AnswerPayload(bytes: []) }
        guard start >= Self.headerSize, end <= size else {
            throw DeviceMapperError(.malformedAnswer, detail: "payload at \(start) to \(end) in a buffer of \(size)")
        }
        return unsafe AnswerPayload(bytes: Array(memory[start..<end]))
    }
}

/// The buffers that no request uses at the moment.
///
/// A program of n threads comes to own n of them.
final class RequestBufferPool: Sendable {
    private let idle = Mutex<[RequestBuffer]>([])
    let initialSize: Int

    init(initialSize: Int) {
        self.initialSize = max(initialSize, RequestBuffer.headerSize)
    }

    func withBuffer<Result>(
        _ body: (RequestBuffer) throws(DeviceMapperError) -> Result
    ) throws(DeviceMapperError) -> Result {
        let buffer = idle.withLock { $0.popLast() } ?? RequestBuffer(size: initialSize)
        defer { idle.withLock { $0.append(buffer) } }
        return try body(buffer)
    }
}
