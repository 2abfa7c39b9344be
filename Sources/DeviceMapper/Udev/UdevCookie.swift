internal import CShims
internal import Synchronization
internal import SystemCalls
internal import SystemPackage

/// A System V semaphore that udev's rule `95-dm-notify.rules` counts down when it is done with a device.
///
/// One cookie can be given to any number of commands; ``wait(timeout:)`` then waits for all of their events. The
/// protocol is that of libdevmapper: the semaphore's key is 0x0D4D and a random base, the command carries the base, and
/// the rule calls `dmsetup udevcomplete`. Where no udevd runs, or it runs in another IPC namespace, no rule counts down:
/// that is why the wait has a deadline.
public final class UdevCookie: Sendable, Hashable {
    /// The lower half of the semaphore's key; the upper one is 0x0D4D.
    public let base: UInt16
    /// The upper half of the keys of all cookies.
    public static let magic: UInt32 = 0x0D4D
    private let semaphore: CInt
    /// Whether the semaphore goes away with this object.
    private let isOwned: Atomic<Bool>

    /// Makes a semaphore with an unused key.
    ///
    /// - Throws: ``DeviceMapperError/Code/failed`` when the system has no semaphore left.
    public init() throws(DeviceMapperError) {
        var lastError: CInt = 0
        for _ in 0..<100 {
            let base = UInt16.random(in: 1 ... .max)
            var identifier: CInt = 0
            lastError = unsafe dmshim_semaphore_create(CInt(Self.magic) << 16 | CInt(base), 1, &identifier)
            if lastError == 0 {
                self.base = base
                semaphore = identifier
                isOwned = Atomic(true)
                return
            }
            if Errno(rawValue: lastError) != .fileExists { break }
        }
        throw DeviceMapperError(
            .failed, attempt: "make a semaphore to wait for udev", errno: Errno(rawValue: lastError),
            detail: "“ipcs -s” lists those in use, and “dmsetup udevcomplete_all” removes what interrupted programs "
                + "left behind")
    }

    /// Finds the semaphore that another program made.
    ///
    /// - Parameters:
    ///   - value: The cookie as ``value`` gives it.
    ///   - isOwned: Whether the semaphore goes away with this object.
    /// - Throws: ``DeviceMapperError/Code/noSuchThing`` when there is none.
    public init(existing value: UInt32, isOwned: Bool = false) throws(DeviceMapperError) {
        base = UInt16(truncatingIfNeeded: value)
        self.isOwned = Atomic(isOwned)
        var identifier: CInt = 0
        let error = unsafe dmshim_semaphore_find(CInt(bitPattern: value), &identifier)
        guard error == 0, value >> 16 == Self.magic else {
            throw DeviceMapperError(
                .noSuchThing, attempt: "find the semaphore of the udev cookie", errno: Errno(rawValue: error))
        }
        semaphore = identifier
    }

    /// Leaves the semaphore in the system when this object goes away, for other programs that know its value.
    public func keep() { isOwned.store(false, ordering: .relaxed) }

    /// Counts the semaphore down by one, as udev's rules do when they are done with a device.
    public func complete() throws(DeviceMapperError) {
        do {
            try requireSuccess(dmshim_semaphore_add(semaphore, -1))
        } catch {
            throw DeviceMapperError(.failed, attempt: "count the udev cookie down", errno: error)
        }
    }

    deinit {
        guard isOwned.load(ordering: .relaxed) else { return }
        // EIDRM and EINVAL mean that the semaphore has been removed already.
        _ = dmshim_semaphore_remove(semaphore)
    }

    /// The cookie as udev's rules see it and as `dmsetup udevcomplete` takes it.
    public var value: UInt32 { Self.magic << 16 | UInt32(base) }

    func expectEvent() throws(DeviceMapperError) {
        do {
            try requireSuccess(dmshim_semaphore_add(semaphore, 1))
        } catch {
            throw DeviceMapperError(
                .failed, attempt: "prepare to wait for udev", errno: error,
                detail: "the semaphore of the udev cookie was removed")
        }
    }

    func cancelEvent() {
        // This fails only when another program has removed the semaphore or counted it down too often. Then there is
        // nothing to cancel.
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
            do {
                return try requireSuccess(
                    dmshim_semaphore_wait_for_zero(semaphore, Int(max(0, min(remaining, 1e9)))))
            } catch .identifierRemoved {
                return
            } catch .interrupted {
                continue
            } catch .resourceTemporarilyUnavailable {
                if ContinuousClock.now < deadline { continue }
                throw DeviceMapperError(
                    .timedOut, attempt: "wait for udev",
                    detail: "its rules have not run within \(timeout), though the change itself is made; is "
                        + "systemd-udevd running, and in the same IPC namespace?")
            } catch {
                throw DeviceMapperError(.failed, attempt: "wait for udev", errno: error)
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

/// The semaphore of a cookie of any program, as the system lists it.
public struct UdevCookieState: Hashable, Sendable {
    /// The cookie.
    public let value: UInt32
    /// The system's number of the semaphore.
    public let identifier: Int
    /// How many events are still waited for.
    public let count: Int
    /// When it was last counted up or down, in seconds since 1970; 0 if never.
    public let operated: Int
    /// When it was made.
    public let changed: Int

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(value: UInt32, identifier: Int, count: Int, operated: Int, changed: Int) {
        self.value = value
        self.identifier = identifier
        self.count = count
        self.operated = operated
        self.changed = changed
    }

    /// Removes the semaphore; programs that wait for it go on.
    public func remove() { _ = dmshim_semaphore_remove(CInt(identifier)) }
}

extension UdevCookie {
    /// The semaphores of all cookies in this IPC namespace.
    public static func all() -> [UdevCookieState] {
        var found: [UdevCookieState] = []
        for index in 0...max(-1, dmshim_semaphore_last()) + 1 {
            var state = dmshim_semaphore_state()
            guard unsafe dmshim_semaphore_at(index, &state) == 0 else { continue }
            let key = UInt32(bitPattern: state.key)
            guard key >> 16 == magic else { continue }
            found.append(
                UdevCookieState(
                    value: key, identifier: Int(state.identifier), count: Int(state.value),
                    operated: Int(state.operated),
                    changed: Int(state.changed)))
        }
        return found
    }
}
