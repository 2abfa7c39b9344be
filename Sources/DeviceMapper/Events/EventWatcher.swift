internal import Synchronization

/// Waits for events of any mapped device with `poll(2)` on control nodes of its own.
///
/// A device has an event when its target reports one (a thin pool below its low-water mark, a failed mirror) and when
/// it is renamed; that a device is created or removed ends a wait as well. A suspend, a resume or a new table is none.
/// No event is lost: a node is armed before the devices are listed, so what happens after the listing ends the wait.
///
/// ``changes(from:withPrefix:timeout:cancellation:)`` and ``event(of:after:timeout:cancellation:)`` block their thread.
/// ``deviceChanges(withPrefix:)`` and ``events(of:after:)`` are asynchronous sequences.
///
/// One watcher serves any number of threads. The kernel keeps for each open node what it has told; so each wait that
/// runs at a time has a node for itself, which the next wait takes over.
public final class EventWatcher: Sendable {
    private let open: @Sendable () throws(DeviceMapperError) -> EventDescriptor
    private let idle: Mutex<[EventDescriptor]>

    /// Opens a control node for events.
    ///
    /// - Throws: ``DeviceMapperError/Code/noDeviceMapper``, ``DeviceMapperError/Code/notPermitted``.
    public convenience init() throws(DeviceMapperError) {
        try self.init { kernel in kernel }
    }

    /// Sends the commands through what `wrap` makes of a node, between which a test can act.
    init(wrapping wrap: @escaping @Sendable (KernelTransport) -> any ControlTransport) throws(DeviceMapperError) {
        open = { () throws(DeviceMapperError) in try EventDescriptor(wrapping: wrap) }
        idle = Mutex([try open()])
    }

    /// How many nodes no wait uses at the moment.
    var idleCount: Int { idle.withLock { $0.count } }

    /// Waits until `look` finds something, with a node that no other thread uses meanwhile.
    private func wait<Answer>(
        _ timeout: Duration?, _ cancellation: WaitCancellation?,
        until look: (Control) throws(DeviceMapperError) -> Answer?
    ) throws(DeviceMapperError) -> Answer? {
        let deadline = timeout.map { ContinuousClock.now.advanced(by: $0) }
        let left = idle.withLock { $0.popLast() }
        let node = if let left { left } else { try open() }
        defer { idle.withLock { $0.append(node) } }
        while true {
            try node.arm()
            if let answer = try look(node.control) { return answer }
            guard try node.isReadable(by: deadline, unless: cancellation) else { return nil }
        }
    }

    /// Waits until the list of devices, with the numbers of their events, is another than `known`.
    ///
    /// - Parameters:
    ///   - known: The list that the caller has seen last; an empty list returns at once if there is any device.
    ///   - prefix: Only devices whose names begin with it count.
    ///   - timeout: How long to wait; `nil` waits for ever.
    ///   - cancellation: Lets another thread end the wait.
    /// - Returns: The new list, or `nil` when nothing changed in time or before the wait was cancelled.
    /// - Throws: ``DeviceMapperError`` from `DM_DEV_ARM_POLL` (interface 4.37) or `DM_LIST_DEVICES`.
    public func changes(
        from known: [DeviceListEntry], withPrefix prefix: String = "", timeout: Duration?,
        cancellation: WaitCancellation? = nil
    ) throws(DeviceMapperError) -> [DeviceListEntry]? {
        try wait(timeout, cancellation) { control throws(DeviceMapperError) in
            let present = try control.devices(withPrefix: prefix)
            return present == known ? nil : present
        }
    }

    /// Waits until the number of a device's last event is another than `eventNumber`.
    ///
    /// - Parameters:
    ///   - device: The device. An event may be that it gets another name, so its uuid or number names it best.
    ///   - eventNumber: The number of the last event that the caller knows.
    ///   - timeout: How long to wait; `nil` waits for ever.
    ///   - cancellation: Lets another thread end the wait.
    /// - Returns: The state of the device, or `nil` when nothing happened in time or before the wait was cancelled.
    /// - Throws: ``DeviceMapperError/Code/noSuchDevice`` when the device is gone.
    public func event(
        of device: DeviceReference, after eventNumber: UInt32, timeout: Duration?,
        cancellation: WaitCancellation? = nil
    ) throws(DeviceMapperError) -> DeviceInformation? {
        try wait(timeout, cancellation) { control throws(DeviceMapperError) in
            let information = try control.information(on: device)
            return information.eventNumber == eventNumber ? nil : information
        }
    }
}
