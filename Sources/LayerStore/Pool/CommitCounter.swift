internal import CShims
internal import DeviceMapper
internal import Synchronization
internal import SystemPackage

/// How many commits a pool was told to make.
final class CommitCounter: Sendable {
    private let count = Atomic<UInt64>(0)

    var value: UInt64 { count.load(ordering: .relaxed) }

    func increment() {
        count.add(1, ordering: .relaxed)
    }

    /// A transport that counts the messages behind which a pool commits.
    func counting(_ transport: any ControlTransport) -> any ControlTransport {
        Transport(counter: self, transport: transport)
    }

    private struct Transport: ControlTransport {
        let counter: CommitCounter
        let transport: any ControlTransport

        func perform(_ command: ControlCommand, request: UnsafeMutableRawBufferPointer) -> Errno? {
            let isCommit = unsafe command == .targetMessage && Self.isForTarget(request)
            let failure = unsafe transport.perform(command, request: request)
            if isCommit, failure == nil { counter.increment() }
            return failure
        }

        /// Whether a message is for the target: one that begins with “@” is for the mapped device itself.
        private static func isForTarget(_ request: UnsafeMutableRawBufferPointer) -> Bool {
            guard let offset = MemoryLayout<dm_ioctl>.offset(of: \.data_start), request.count >= offset + 4 else {
                return false
            }
            let start = unsafe Int(request.load(fromByteOffset: offset, as: UInt32.self))
            let text = start + MemoryLayout<dm_target_msg>.size
            return unsafe text < request.count && request[text] != UInt8(ascii: "@")
        }
    }
}
