import DeviceMapper
import Glibc
import Synchronization
import SystemPackage

/// Sends a store's commands to the kernel and notes them; fails, delays or never ends those that a test chooses.
final class StoreTransport: ControlTransport {
    /// A command as it was sent.
    struct Sent: Hashable {
        let command: ControlCommand
        /// The text of a message to a target.
        let message: String?
        let name: String
        /// Whether a device is to be suspended, not resumed.
        let suspends: Bool
        /// Whether what is in flight, or a pool's metadata, stays where it is.
        let skipsFlush: Bool

        /// Whether a pool commits its metadata because of it.
        var commits: Bool {
            command == .targetMessage || command == .tableStatus && !skipsFlush
        }
    }

    /// What happens to a command.
    enum Effect {
        case failsBefore
        case failsAfter
        case takes(useconds_t)
    }

    private struct State {
        var sent: [Sent] = []
        var rule: (@Sendable (Sent) -> Effect?)?
    }

    private let kernel: KernelTransport
    private let state = Mutex(State())

    init() throws {
        kernel = try KernelTransport()
    }

    /// What was sent since the beginning or ``forget()``.
    var sent: [Sent] { state.withLock(\.sent) }

    /// How often a pool has committed because of what was sent.
    var commits: Int { sent.filter(\.commits).count }

    func forget() {
        state.withLock { $0.sent = [] }
    }

    /// Decides on every command that follows.
    func meddle(_ rule: (@Sendable (Sent) -> Effect?)?) {
        state.withLock { $0.rule = rule }
    }

    /// Decides on the next command that `isMeant` accepts, once.
    func meddleOnce(_ effect: Effect, _ isMeant: @escaping @Sendable (Sent) -> Bool) {
        let isDone = Once()
        meddle { isMeant($0) && isDone.first() ? effect : nil }
    }

    private final class Once: Sendable {
        private let isDone = Mutex(false)

        func first() -> Bool {
            isDone.withLock { isDone in
                defer { isDone = true }
                return !isDone
            }
        }
    }

    func perform(_ command: ControlCommand, request: UnsafeMutableRawBufferPointer) -> Errno? {
        let sent = unsafe Self.describe(command, request)
        let rule = state.withLock { state in
            state.sent.append(sent)
            return state.rule
        }
        switch rule?(sent) {
        case .failsBefore: return .ioError
        case .failsAfter:
            _ = unsafe kernel.perform(command, request: request)
            return .ioError
        case .takes(let time):
            usleep(time)
            return unsafe kernel.perform(command, request: request)
        case nil: return unsafe kernel.perform(command, request: request)
        }
    }

    /// Reads `struct dm_ioctl`, and `struct dm_target_msg` behind it.
    private static func describe(_ command: ControlCommand, _ request: UnsafeMutableRawBufferPointer) -> Sent {
        let start = Int(unsafe request.load(fromByteOffset: 16, as: UInt32.self))
        let flags = unsafe request.load(fromByteOffset: 28, as: UInt32.self)
        let name = unsafe String(decoding: request[48..<176].prefix { $0 != 0 }, as: UTF8.self)
        let message: String? =
            command == .targetMessage
            ? unsafe String(decoding: request[(start + 8)...].prefix { $0 != 0 }, as: UTF8.self) : nil
        return Sent(
            command: command, message: message, name: name, suspends: command == .suspendDevice && flags & 1 << 1 != 0,
            skipsFlush: flags & 1 << 11 != 0)
    }
}
