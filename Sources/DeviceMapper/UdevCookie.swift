internal import CShims
internal import SystemPackage

/// A System V semaphore that udev's rule `95-dm-notify.rules` counts down when it is done with a device.
///
/// One cookie can be given to any number of commands; ``wait(timeout:)`` then waits for all of their events. The
/// protocol is that of libdevmapper: the semaphore's key is 0x0D4D and a random base, the command carries the base, and
/// the rule calls `dmsetup udevcomplete`. Where no udevd runs, or it runs in another IPC namespace, nobody counts down:
/// that is why the wait has a deadline.
public final class UdevCookie: Sendable, Hashable {
    /// The lower half of the semaphore's key; the upper one is 0x0D4D.
    public let base: UInt16
    private let semaphore: CInt

    /// Makes a semaphore with an unused key.
    ///
    /// - Throws: ``DeviceMapperError/Code/failed`` when the system has no semaphore left.
    public init() throws(DeviceMapperError) {
        var lastError: CInt = 0
        for _ in 0..<100 {
            let base = UInt16.random(in: 1 ... .max)
            var identifier: CInt = 0
            lastError = unsafe dmshim_semaphore_create(0x0D4D << 16 | CInt(base), 1, &identifier)
            if lastError == 0 {
                self.base = base
                semaphore = identifier
                return
            }
            if Errno(rawValue: lastError) != .fileExists { break }
        }
        throw DeviceMapperError(
            .failed, attempt: "make a semaphore to wait for udev", errno: Errno(rawValue: lastError),
            detail: "“ipcs -s” lists those in use, and “dmsetup udevcomplete_all” removes what interrupted programs "
                + "left behind")
    }

    deinit {
        // EIDRM and EINVAL mean that it is gone already, which is what is wanted.
        _ = dmshim_semaphore_remove(semaphore)
    }

    /// The cookie as udev's rules see it and as `dmsetup udevcomplete` takes it.
    public var value: UInt32 { 0x0D4D << 16 | UInt32(base) }

    func expectEvent() throws(DeviceMapperError) {
        let errno = dmshim_semaphore_add(semaphore, 1)
        guard errno == 0 else {
            throw DeviceMapperError(
                .failed, attempt: "prepare to wait for udev", errno: Errno(rawValue: errno),
                detail: "the semaphore of the udev cookie was removed")
        }
    }

    func cancelEvent() {
        // Fails only when somebody removed the semaphore or counted it down too often: then there is nothing to cancel.
        _ = dmshim_semaphore_add(semaphore, -1)
    }

    /// Waits until udev's rules have run for every command that carried this cookie.
    ///
    /// A cookie is waited for once.
    ///
    /// - Throws: ``DeviceMapperError/Code/timedOut`` when they have not within `timeout`. The devices are there, or
    ///   gone, all the same.
    public func wait(timeout: Duration) throws(DeviceMapperError) {
        cancelEvent()
        let deadline = ContinuousClock.now.advanced(by: timeout)
        while true {
            let remaining = ContinuousClock.now.duration(to: deadline) / Duration.milliseconds(1)
            let errno = Errno(
                rawValue: dmshim_semaphore_wait_for_zero(semaphore, Int(max(0, min(remaining, 1e9)))))
            switch errno {
            case Errno(rawValue: 0), .identifierRemoved: return
            case .interrupted: continue
            case .resourceTemporarilyUnavailable:
                if ContinuousClock.now < deadline { continue }
                throw DeviceMapperError(
                    .timedOut, attempt: "wait for udev",
                    detail: "its rules have not run within \(timeout), though the change itself is made; is "
                        + "systemd-udevd running, and in the same IPC namespace?")
            default:
                throw DeviceMapperError(.failed, attempt: "wait for udev", errno: errno)
            }
        }
    }

    /// Whether both are the same semaphore.
    public static func == (left: UdevCookie, right: UdevCookie) -> Bool { left === right }

    /// Hashes the semaphore's identity.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(self))
    }
}
