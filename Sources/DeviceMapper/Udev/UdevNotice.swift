/// The flags that udev's rules get with the next uevent of a device.
public struct UdevFlags: OptionSet, Hashable, Sendable {
    /// The flags as the upper half of a cookie.
    public let rawValue: UInt16

    /// Makes flags from the upper half of a cookie.
    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// No links in `/dev/mapper`.
    public static let noDeviceMapperRules = UdevFlags(rawValue: 0x01)
    /// No rules of the subsystem that made the device, such as LVM's.
    public static let noSubsystemRules = UdevFlags(rawValue: 0x02)
    /// No links in `/dev/disk` and no blkid.
    public static let noDiskRules = UdevFlags(rawValue: 0x04)
    /// No other rules.
    public static let noOtherRules = UdevFlags(rawValue: 0x08)
    /// libdevmapper makes no nodes itself, because the rules make them.
    public static let noLibraryFallback = UdevFlags(rawValue: 0x20)
    /// The event comes from the command itself, not from a trigger later; libdevmapper sets it always.
    public static let primarySource = UdevFlags(rawValue: 0x40)

    /// The flags of a private device: no rule opens it, so its removal does not fail with `EBUSY`.
    public static let hidden: UdevFlags = [.primarySource, .noSubsystemRules, .noDiskRules, .noOtherRules]
    /// The flags of a device that every program may use.
    public static let visible: UdevFlags = .primarySource
}

/// How a resume, removal or rename deals with udev.
public enum UdevNotice: Hashable, Sendable {
    /// Tells the rules these flags and does not wait for them.
    case flags(UdevFlags)
    /// Tells the rules these flags, and lets ``UdevCookie/wait(timeout:)`` wait until they have run.
    case cookie(UdevCookie, UdevFlags)

    /// Keeps udev's rules off the device: ``UdevFlags/hidden``, without waiting.
    public static let hidden = UdevNotice.flags(.hidden)
}

extension Control {
    /// Sends a command that causes a uevent.
    func perform<Result>(
        _ request: ControlRequest, notifying udev: UdevNotice, read: (AnswerHeader) -> Result
    ) throws(DeviceMapperError) -> Result {
        var request = request
        switch udev {
        case .flags(let flags):
            request.eventNumber = UInt32(flags.rawValue) << 16
            return try perform(request) { header, _ throws(DeviceMapperError) in read(header) }
        case .cookie(let cookie, let flags):
            request.eventNumber = UInt32(flags.rawValue) << 16 | UInt32(cookie.base)
            try cookie.expectEvent()
            let header: AnswerHeader
            do {
                header = try perform(request) { header, _ throws(DeviceMapperError) in header }
            } catch {
                cookie.cancelEvent()
                throw error
            }
            if !header.flags.contains(.eventGenerated) { cookie.cancelEvent() }
            return read(header)
        }
    }
}
