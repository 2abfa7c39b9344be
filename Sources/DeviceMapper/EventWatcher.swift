internal import Glibc
internal import SystemPackage

/// Waits for events of any mapped device with `poll(2)` on a control node of its own.
///
/// A device has an event when its target reports one (a thin pool below its low-water mark, a failed mirror) and when
/// it is renamed; that a device is created or removed ends a wait as well. A suspend, a resume or a new table is none.
/// No event is lost: the node is armed before the devices are listed, so what happens after the listing ends the wait.
public final class EventWatcher: Sendable {
    private let kernel: KernelTransport
    private let control: Control

    /// Opens a control node for events.
    ///
    /// - Throws: ``DeviceMapperError/Code/noDeviceMapper``, ``DeviceMapperError/Code/notPermitted``.
    public convenience init() throws(DeviceMapperError) {
        let kernel = try KernelTransport()
        self.init(polling: kernel, transport: kernel)
    }

    /// Polls the control node of `kernel` and sends it commands through `transport`, between which a test can act.
    init(polling kernel: KernelTransport, transport: any ControlTransport) {
        self.kernel = kernel
        control = Control(transport: transport)
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
        while true {
            try control.armPoll()
            let present = try control.devices(withPrefix: prefix)
            if present != known { return present }
            guard try isReadable(by: deadline) else { return nil }
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
        while true {
            try control.armPoll()
            let information = try control.information(on: device)
            if information.eventNumber != eventNumber { return information }
            guard try isReadable(by: deadline) else { return nil }
        }
    }

    private func isReadable(by deadline: ContinuousClock.Instant?) throws(DeviceMapperError) -> Bool {
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
