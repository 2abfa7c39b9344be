import Synchronization
import SystemPackage
import Testing

@testable import DeviceMapper

/// Where the keys of encrypted devices go, and that they do not stay there.
@Suite struct SecretDataTests {
    private static let key = "00112233445566778899aabbccddeeff"

    /// Answers every command, and notes what a request had in it and where its memory is.
    private final class Kernel: ControlTransport {
        struct Sent {
            let command: ControlCommand
            let isSecure: Bool
            let hadKey: Bool
            let address: UInt
            let count: Int
        }

        private let state = Mutex((sent: [Sent](), answersTooLarge: 0))

        var sent: [Sent] { state.withLock(\.sent) }

        /// Answers the next `count` requests that they did not fit, with a part of the answer.
        func overflow(_ count: Int) {
            state.withLock { $0.answersTooLarge = count }
        }

        func perform(_ command: ControlCommand, request: UnsafeMutableRawBufferPointer) -> Errno? {
            let flags = unsafe request.loadUnaligned(fromByteOffset: 28, as: UInt32.self)
            let hadKey = unsafe String(decoding: request, as: UTF8.self).contains(key)
            let sent = Sent(
                command: command, isSecure: flags & 1 << 15 != 0, hadKey: hadKey,
                address: UInt(bitPattern: request.baseAddress), count: request.count)
            state.withLock { $0.sent.append(sent) }
            // The kernel answers with a key in the payload, as of the table of an encrypted device.
            unsafe UnsafeMutableRawBufferPointer(rebasing: request[400...]).copyBytes(from: key.utf8)
            let isTooLarge = state.withLock { state in
                defer { state.answersTooLarge -= 1 }
                return state.answersTooLarge > 0
            }
            let bufferFull: UInt32 = 1 << 8
            unsafe request.storeBytes(of: isTooLarge ? flags | bufferFull : flags, toByteOffset: 28, as: UInt32.self)
            return nil
        }
    }

    /// The memory of this process at an address, which may have been given back.
    private func memory(at address: UInt, _ count: Int) throws -> String {
        let memory = try FileDescriptor.open(FilePath("/proc/self/mem"), .readOnly)
        return try memory.closeAfter {
            var bytes = [UInt8](repeating: 0, count: count)
            let read = unsafe try bytes.withUnsafeMutableBytes {
                unsafe try memory.read(fromAbsoluteOffset: Int64(address), into: $0)
            }
            return String(decoding: bytes.prefix(max(0, read)), as: UTF8.self)
        }
    }

    @Test func areMarkedAndWiped() throws {
        let kernel = Kernel()
        let control = Control(transport: kernel)
        let device = DeviceReference.name(try DeviceName("device"))
        try control.sendMessage("key set \(Self.key)", to: device)
        try control.loadTable(
            MappingTable(parsing: "0 8 crypt aes-xts-plain64 \(Self.key) 0 7:1 0"), into: device)
        try control.loadTable(
            MappingTable(parsing: "0 8 integrity 7:0 0 32 J 1 internal_hash:hmac(sha256):\(Self.key)"), into: device)
        _ = try control.table(of: device)
        #expect(kernel.sent.map(\.command) == [.targetMessage, .loadTable, .loadTable, .tableStatus])
        #expect(kernel.sent.map(\.hadKey) == [true, true, true, false])
        #expect(kernel.sent.map(\.isSecure) == [true, true, true, true])
        for sent in kernel.sent {
            #expect(try !memory(at: sent.address, sent.count).contains(Self.key), "\(sent.command)")
        }
        // It is the buffer of the next request, in which nothing is secret.
        _ = try control.information(on: device)
        #expect(kernel.sent.last?.isSecure == false && kernel.sent.last?.hadKey == false)
    }

    @Test func areWipedWhereTheAnswerDidNotFit() throws {
        let kernel = Kernel()
        let control = Control(transport: kernel, bufferSize: 4096)
        kernel.overflow(3)
        _ = try control.table(of: .name(try DeviceName("device")))
        #expect(kernel.sent.count == 4)
        for sent in kernel.sent {
            #expect(try !memory(at: sent.address, sent.count).contains(Self.key), "\(sent.count)")
        }
    }
}
