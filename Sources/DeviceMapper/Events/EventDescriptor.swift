internal import SystemCalls
public import SystemPackage

/// A descriptor for `poll(2)` that becomes readable when something happens to a mapped device.
///
/// A program that has a loop of its own around `poll(2)` or `epoll(7)` uses it; ``EventWatcher`` is the loop for the others. The
/// order of the steps matters, so that no event is lost:
///
/// 1. ``arm()``.
/// 2. Look at the devices with ``control``, and do what is to be done.
/// 3. Wait until ``descriptor`` is readable (`POLLIN`), and begin again. There is nothing to read from it.
///
/// The kernel remembers for each open control node what it has told. So every part of a program that waits has an object of its
/// own.
public final class EventDescriptor: Sendable {
    private let kernel: KernelTransport
    /// Sends commands through the same control node.
    public let control: Control

    /// The descriptor, which is closed when this object goes away.
    public var descriptor: FileDescriptor { kernel.descriptor }

    /// Opens a control node.
    ///
    /// - Throws: ``DeviceMapperError/Code/noDeviceMapper``, ``DeviceMapperError/Code/notPermitted``.
    public convenience init() throws(DeviceMapperError) {
        try self.init { kernel in kernel }
    }

    /// Sends the commands through what `wrap` makes of a node, between which a test can act.
    init(wrapping wrap: (KernelTransport) -> any ControlTransport) throws(DeviceMapperError) {
        kernel = try KernelTransport()
        control = Control(transport: wrap(kernel))
    }

    /// Has the descriptor become readable with the next event of any device.
    ///
    /// The corresponding ioctl is `DM_DEV_ARM_POLL`.
    ///
    /// - Throws: ``DeviceMapperError/Code/notSupported`` before interface 4.37 (Linux 4.14).
    public func arm() throws(DeviceMapperError) {
        try control.armPoll()
    }

    /// Waits until something has happened since the node was armed.
    ///
    /// - Parameters:
    ///   - deadline: The end of the wait; `nil` waits for ever.
    ///   - cancellation: Ends the wait as well.
    /// - Returns: Whether something has happened.
    func isReadable(
        by deadline: ContinuousClock.Instant?, unless cancellation: WaitCancellation?
    ) throws(DeviceMapperError) -> Bool {
        // The kernel passes over a descriptor that is negative.
        var requests = [descriptor.rawValue, cancellation?.descriptor.rawValue ?? -1].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while true {
            var milliseconds: CInt = -1
            if let deadline {
                let remaining = ContinuousClock.now.duration(to: deadline) / Duration.milliseconds(1)
                if remaining <= 0 { return false }
                milliseconds = CInt(max(1, min(remaining.rounded(.up), 1e9)))
            }
            do {
                if try interruptibleCall({ unsafe poll(&requests, nfds_t(requests.count), milliseconds) }) > 0 {
                    return requests[1].revents == 0
                }
            } catch {
                // After a signal, the time that is left is computed again.
                guard error == .interrupted else {
                    throw DeviceMapperError(.failed, attempt: "wait for events of the device mapper", errno: error)
                }
            }
        }
    }
}
