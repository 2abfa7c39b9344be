/// The kernel's answer about one device, `DM_DEV_STATUS` and others.
public struct DeviceInformation: Hashable, Sendable {
    /// The name.
    public let name: DeviceName
    /// The DM uuid, if the device has one.
    public let uuid: DeviceUUID?
    /// The device number; its node is `/dev/dm-` with the minor number.
    public let number: DeviceNumber
    /// How often the device is open: mounts, devices on top of it, programs.
    public let openCount: Int
    /// The number of the last event.
    public let eventNumber: UInt32
    /// How many targets the active table has.
    public let targetCount: UInt32
    /// Whether the device is suspended.
    public let isSuspended: Bool
    /// Whether the device is read-only.
    public let isReadOnly: Bool
    /// Whether a table is active.
    public let hasActiveTable: Bool
    /// Whether a table has been loaded that the next resume makes active.
    public let hasInactiveTable: Bool
    /// Whether the device goes away when it is closed for the last time.
    public let isRemovalDeferred: Bool

    /// Names the device for a later command: by its uuid, which no other device can get, else by its number.
    ///
    /// The number of a device that has gone is given to a new one.
    public var reference: DeviceReference { uuid.map(DeviceReference.uuid) ?? .number(number) }

    init(_ header: AnswerHeader) {
        name = DeviceName(kernelBytes: header.name)
        uuid = header.uuid.isEmpty ? nil : DeviceUUID(kernelBytes: header.uuid)
        number = header.number
        openCount = Int(header.openCount)
        eventNumber = header.eventNumber
        targetCount = header.targetCount
        isSuspended = header.flags.contains(.suspend)
        isReadOnly = header.flags.contains(.readOnly)
        hasActiveTable = header.flags.contains(.activePresent)
        hasInactiveTable = header.flags.contains(.inactivePresent)
        isRemovalDeferred = header.flags.contains(.deferredRemove)
    }
}

/// What a removal has led to.
public enum RemovalOutcome: Hashable, Sendable {
    /// The device is gone.
    case removed
    /// The device is open; it goes away by itself when it is closed for the last time.
    case deferred
}

/// How a suspend treats what is in flight.
public struct SuspendOptions: OptionSet, Hashable, Sendable {
    /// The options as bits.
    public let rawValue: UInt8

    /// Makes options from bits.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Leaves the file system on the device as it is.
    ///
    /// Without it the file system is frozen, so that a snapshot of the device is clean (`DM_SKIP_LOCKFS_FLAG`).
    public static let skipFreeze = SuspendOptions(rawValue: 1)
    /// Postpones outstanding requests instead of waiting for them (`DM_NOFLUSH_FLAG`).
    ///
    /// A pool out of space can be suspended in no other way.
    public static let noFlush = SuspendOptions(rawValue: 2)
}

extension Control {
    /// All mapped devices, in the kernel's order.
    ///
    /// The corresponding ioctl is `DM_LIST_DEVICES`.
    ///
    /// - Parameter prefix: Only names that begin with it; kernels before interface 4.41 list everything, so the list is
    ///   filtered here as well.
    public func devices(withPrefix prefix: String = "") throws(DeviceMapperError) -> [DeviceListEntry] {
        var request = ControlRequest(.listDevices)
        request.flags = .uuid
        request.name = Array(prefix.utf8.prefix(DeviceName.maximumLength))
        let entries = try perform(request) { header, payload throws(DeviceMapperError) in
            try payload().devices(version: header.version)
        }
        return entries.filter { $0.name.bytes.starts(with: request.name) }
    }

    /// Creates a device without a table.
    ///
    /// The corresponding ioctl is `DM_DEV_CREATE`.
    ///
    /// Its node appears with its first table (kernel 5.15 and later).
    ///
    /// - Parameters:
    ///   - name: The name, unused so far.
    ///   - uuid: The DM uuid, unused so far.
    ///   - minor: The minor number to take, or `nil` for the next free one.
    /// - Throws: ``DeviceMapperError/Code/busy`` when name, uuid or minor number is taken.
    @discardableResult
    public func createDevice(
        _ name: DeviceName, uuid: DeviceUUID? = nil, minor: UInt32? = nil
    ) throws(DeviceMapperError) -> DeviceInformation {
        var request = ControlRequest(.createDevice, .name(name))
        request.uuid = uuid?.bytes ?? []
        if let minor {
            guard let number = DeviceNumber(major: 0, minor: minor) else {
                throw DeviceMapperError(.invalidName, device: "\(minor)", detail: "a minor number is below 1,048,576")
            }
            request.number = number
            request.flags = .persistentNumber
        }
        return try perform(request) { header, _ throws(DeviceMapperError) in DeviceInformation(header) }
    }

    /// Removes a device.
    ///
    /// The corresponding ioctl is `DM_DEV_REMOVE`.
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - deferred: Lets a device that is open go away when it is closed for the last time (`DM_DEFERRED_REMOVE`).
    ///   - udev: What udev is told.
    /// - Throws: ``DeviceMapperError/Code/busy`` when it is open, ``DeviceMapperError/Code/noSuchDevice``.
    @discardableResult
    public func removeDevice(
        _ device: DeviceReference, deferred: Bool = false, udev: UdevNotice = .hidden
    ) throws(DeviceMapperError) -> RemovalOutcome {
        let request = ControlRequest(.removeDevice, device, flags: deferred ? .deferredRemove : [])
        return try perform(request, notifying: udev) { header in
            header.flags.contains(.deferredRemove) ? .deferred : .removed
        }
    }

    /// Removes every device that is not open, whoever made it.
    ///
    /// The corresponding ioctl is `DM_REMOVE_ALL`.
    ///
    /// - Parameter deferred: Lets the others go away when they are closed for the last time.
    public func removeAllDevices(deferred: Bool = false) throws(DeviceMapperError) {
        var request = ControlRequest(.removeAll)
        if deferred { request.flags = .deferredRemove }
        try perform(request)
    }

    /// Gives a device another name.
    ///
    /// The corresponding ioctl is `DM_DEV_RENAME`.
    ///
    /// - Throws: ``DeviceMapperError/Code/busy`` when the new name is taken, ``DeviceMapperError/Code/noSuchDevice``.
    public func renameDevice(
        _ name: DeviceName, to newName: DeviceName, udev: UdevNotice = .hidden
    ) throws(DeviceMapperError) {
        var request = ControlRequest(.renameDevice, .name(name))
        request.payload = newName.bytes + [0]
        try perform(request, notifying: udev) { _ in }
    }

    /// Gives a device that has none a uuid; it cannot be changed later.
    ///
    /// The corresponding ioctl is `DM_DEV_RENAME`.
    ///
    /// - Throws: ``DeviceMapperError/Code/failed`` with `EINVAL` when the device has a uuid.
    public func setUUID(
        of name: DeviceName, to uuid: DeviceUUID, udev: UdevNotice = .hidden
    ) throws(DeviceMapperError) {
        var request = ControlRequest(.renameDevice, .name(name), flags: .uuid)
        request.payload = uuid.bytes + [0]
        try perform(request, notifying: udev) { _ in }
    }

    /// Suspends a device: requests to it wait until it is resumed.
    ///
    /// The corresponding ioctl is `DM_DEV_SUSPEND`.
    public func suspendDevice(
        _ device: DeviceReference, options: SuspendOptions = []
    ) throws(DeviceMapperError) {
        var flags: ControlFlags = .suspend
        if options.contains(.skipFreeze) { flags.insert(.skipFreeze) }
        if options.contains(.noFlush) { flags.insert(.noFlush) }
        try perform(ControlRequest(.suspendDevice, device, flags: flags))
    }

    /// Resumes a device; a table that was loaded before becomes active.
    ///
    /// The corresponding ioctl is `DM_DEV_SUSPEND`.
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - options: How the implied suspend of an active device treats what is in flight when a new table takes over.
    ///   - udev: What udev is told.
    /// - Throws: The target's refusal; the loaded table is gone then.
    @discardableResult
    public func resumeDevice(
        _ device: DeviceReference, options: SuspendOptions = [], udev: UdevNotice = .hidden
    ) throws(DeviceMapperError) -> DeviceInformation {
        var request = ControlRequest(.suspendDevice, device)
        if options.contains(.skipFreeze) { request.flags.insert(.skipFreeze) }
        if options.contains(.noFlush) { request.flags.insert(.noFlush) }
        return try perform(request, notifying: udev) { DeviceInformation($0) }
    }

    /// The state of a device.
    ///
    /// The corresponding ioctl is `DM_DEV_STATUS`.
    ///
    /// - Throws: ``DeviceMapperError/Code/noSuchDevice``.
    public func information(on device: DeviceReference) throws(DeviceMapperError) -> DeviceInformation {
        try perform(ControlRequest(.deviceStatus, device)) { header, _ throws(DeviceMapperError) in
            DeviceInformation(header)
        }
    }

    /// The state of a device, or `nil` when there is none.
    ///
    /// The corresponding ioctl is `DM_DEV_STATUS`.
    public func informationIfPresent(
        on device: DeviceReference
    ) throws(DeviceMapperError) -> DeviceInformation? {
        do {
            return try information(on: device)
        } catch  where error.code == .noSuchDevice {
            return nil
        }
    }

    /// Sets the geometry that partitioning programs may ask for.
    ///
    /// The corresponding ioctl is `DM_DEV_SET_GEOMETRY`.
    public func setGeometry(
        of device: DeviceReference, cylinders: UInt32, heads: UInt32, sectorsPerTrack: UInt32, start: Sectors
    ) throws(DeviceMapperError) {
        var request = ControlRequest(.setGeometry, device)
        request.payload = Array("\(cylinders) \(heads) \(sectorsPerTrack) \(start)".utf8) + [0]
        try perform(request)
    }
}
