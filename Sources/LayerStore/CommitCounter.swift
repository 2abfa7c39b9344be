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
            let errno = unsafe transport.perform(command, request: request)
            if isCommit, errno == nil { counter.increment() }
            return errno
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

/// Figures about what the store does.
extension LayerStore {
    /// How many commits the pool was told to make through this object: one for each layer that was made or deleted.
    ///
    /// The pool makes more of its own, for file systems that flush what they have written, for example.
    public var orderedCommits: UInt64 { commits.value }

    /// How many layers have been removed whose data is not free yet: what the removals behind their callers have before them,
    /// and what waits for somebody who uses it.
    public func waitingRemovals() throws(LayerStoreError) -> Int { try metadata.unfinishedRemovalCount() }
}
