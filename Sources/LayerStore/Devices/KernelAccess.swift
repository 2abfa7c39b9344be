internal import DeviceMapper
internal import Synchronization

/// The device mapper, which a store opens when it needs it first.
final class KernelAccess: Sendable {
    private let transport: (any ControlTransport)?
    private let opened = Mutex<Control?>(nil)
    /// The commits that the pool was told to make through this object.
    let commits = CommitCounter()

    /// - Parameter transport: How commands reach the kernel; `nil` opens the control node.
    init(_ transport: (any ControlTransport)?) {
        self.transport = transport
    }

    /// The device mapper.
    func control() throws -> Control {
        try opened.withLock { control in
            if let control { return control }
            let opened = try Control(transport: commits.counting(transport ?? KernelTransport()))
            control = opened
            return opened
        }
    }
}
