internal import Glibc
internal import Synchronization
internal import SystemPackage

/// Waits for events of any mapped device with `poll(2)` on control nodes of its own.
///
/// A device has an event when its target reports one (a thin pool below its low-water mark, a failed mirror) and when
/// it is renamed; that a device is created or removed ends a wait as well. A suspend, a resume or a new table is none.
/// No event is lost: a node is armed before the devices are listed, so what happens after the listing ends the wait.
///
/// One watcher serves any number of threads. The kernel keeps for each open node what it has told; so each wait that
/// runs at a time has a node for itself, which the next wait takes over.
public final class EventWatcher: Sendable {
    /// A control node that one wait at a time uses.
    struct Node: Sendable {
        let kernel: KernelTransport
        let control: Control
    }

    private let open: @Sendable () throws(DeviceMapperError) -> Node
    private let idle: Mutex<[Node]>

    /// Opens a control node for events.
    ///
    /// - Throws: ``DeviceMapperError/Code/noDeviceMapper``, ``DeviceMapperError/Code/notPermitted``.
    public convenience init() throws(DeviceMapperError) {
        try self.init { kernel in kernel }
    }

    /// Sends the commands through what `wrap` makes of a node, between which a test can act.
    init(wrapping wrap: @escaping @Sendable (KernelTransport) -> any ControlTransport) throws(DeviceMapperError) {
        open = { () throws(DeviceMapperError) in
            let kernel = try KernelTransport()
            return Node(kernel: kernel, control: Control(transport: wrap(kernel)))
        }
        idle = Mutex([try open()])
    }

    /// Runs `body` with a node that no other thread uses meanwhile.
    private func withNode<Result>(
        _ body: (Node) throws(DeviceMapperError) -> Result
    ) throws(DeviceMapperError) -> Result {
        let left = idle.withLock { $0.popLast() }
        let node = if let left { left } else { try open() }
        defer { idle.withLock { $0.append(node) } }
        return try body(node)
    }

    /// Waits until the list of devices, with the numbers of their events, is another than `known`.
    ///
    /// - Parameters:
    ///   - known: What the caller has seen last; an empty list returns at once if there is any device.
    ///   - prefix: Only devices whose names begin with it count.
    ///   - timeout: How long to wait; `nil` waits for ever.
    /// - Returns: The new list, or `nil` when nothing changed in time.
    /// - Throws: ``DeviceMapperError`` from `DM_DEV_ARM_POLL` (interface 4.37) or `DM_LIST_DEVICES`.
    public func changes(
        from known: [DeviceListEntry], withPrefix prefix: String = "", timeout: Duration?
    ) throws(DeviceMapperError) -> [DeviceListEntry]? {
        let deadline = timeout.map { ContinuousClock.now.advanced(by: $0) }
        return try withNode { node throws(DeviceMapperError) in
            while true {
                try node.control.armPoll()
                let present = try node.control.devices(withPrefix: prefix)
                if present != known { return present }
                guard try node.isReadable(by: deadline) else { return nil }
            }
        }
    }

    /// Waits until the number of a device's last event is another than `eventNumber`.
    ///
    /// - Returns: The state of the device, or `nil` when nothing happened in time.
    /// - Throws: ``DeviceMapperError/Code/noSuchDevice`` when the device is gone.
    public func event(
        of device: DeviceReference, after eventNumber: UInt32, timeout: Duration?
    ) throws(DeviceMapperError) -> DeviceInformation? {
        let deadline = timeout.map { ContinuousClock.now.advanced(by: $0) }
        return try withNode { node throws(DeviceMapperError) in
            while true {
                try node.control.armPoll()
                let information = try node.control.information(on: device)
                if information.eventNumber != eventNumber { return information }
                guard try node.isReadable(by: deadline) else { return nil }
            }
        }
    }
}

extension EventWatcher.Node {
    /// Waits until something has happened since the node was armed.
    fileprivate func isReadable(by deadline: ContinuousClock.Instant?) throws(DeviceMapperError) -> Bool {
        var request = pollfd(fd: kernel.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        while true {
            var milliseconds: CInt = -1
            if let deadline {
                let remaining = ContinuousClock.now.duration(to: deadline) / Duration.milliseconds(1)
                if remaining <= 0 { return false }
                milliseconds = CInt(max(1, min(remaining.rounded(.up), 1e9)))
            }
            let ready = unsafe poll(&request, 1, milliseconds)
            if ready > 0 { return true }
            if ready < 0, Errno(rawValue: errno) != .interrupted {
                throw DeviceMapperError(
                    .failed, attempt: "wait for events of the device mapper", errno: Errno(rawValue: errno))
            }
        }
    }
}
