public import SystemPackage

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
    /// Whether the kernel has suspended the device by itself, as a pool does it to its thin devices (`DM_INTERNAL_SUSPEND_FLAG`).
    public let isInternallySuspended: Bool

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        name: DeviceName, uuid: DeviceUUID? = nil, number: DeviceNumber, openCount: Int = 0, eventNumber: UInt32 = 0,
        targetCount: UInt32 = 1, isSuspended: Bool = false, isReadOnly: Bool = false, hasActiveTable: Bool = true,
        hasInactiveTable: Bool = false, isRemovalDeferred: Bool = false, isInternallySuspended: Bool = false
    ) {
        self.name = name
        self.uuid = uuid
        self.number = number
        self.openCount = openCount
        self.eventNumber = eventNumber
        self.targetCount = targetCount
        self.isSuspended = isSuspended
        self.isReadOnly = isReadOnly
        self.hasActiveTable = hasActiveTable
        self.hasInactiveTable = hasInactiveTable
        self.isRemovalDeferred = isRemovalDeferred
        self.isInternallySuspended = isInternallySuspended
    }

    /// The node of the device, `/dev/dm-` with the minor number.
    ///
    /// The kernel makes it in devtmpfs when the device gets its first table.
    public var node: FilePath { FilePath("/dev/dm-\(number.minor)") }

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
        isInternallySuspended = header.flags.contains(.internalSuspend)
    }
}

/// The result of a removal.
public enum RemovalOutcome: Hashable, Sendable {
    /// The device is gone.
    case removed
    /// The device is open; it goes away by itself when it is closed for the last time.
    case deferred
}

/// How a suspend treats requests in flight.
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
    public static let skipLockFS = SuspendOptions(rawValue: 1)
    /// Postpones outstanding requests instead of waiting for them (`DM_NOFLUSH_FLAG`).
    ///
    /// A pool out of space can be suspended in no other way.
    public static let noFlush = SuspendOptions(rawValue: 2)
}

extension Control {
    /// All mapped devices, in the kernel's order.
    ///
    /// The corresponding ioctl is `DM_LIST_DEVICES` with `DM_UUID_FLAG`. The kernel leaves out the devices that are not asked for;
    /// an older kernel lists all of them, and they are left out here. Before interface 4.45 the kernel does not list uuids, so
    /// each device is asked for its own where they matter.
    ///
    /// - Parameters:
    ///   - prefix: Only devices whose names begin with it.
    ///   - uuidPrefix: Only devices whose uuids begin with it.
    ///   - withUUIDs: Asks for the DM uuids too, which takes time where there are thousands of devices.
    public func devices(
        withPrefix prefix: String = "", uuidPrefix: String = "", withUUIDs: Bool = true
    ) throws(DeviceMapperError) -> [DeviceListEntry] {
        var request = ControlRequest(.listDevices)
        if withUUIDs || !uuidPrefix.isEmpty { request.flags = .uuid }
        request.name = Array(prefix.utf8.prefix(DeviceName.maximumLength))
        request.uuid = Array(uuidPrefix.utf8.prefix(DeviceUUID.maximumLength))
        let (version, all) = try perform(request) { header, payload throws(DeviceMapperError) in
            (header.version, try payload().devices(version: header.version))
        }
        let named = prefix.isEmpty ? all : all.filter { $0.name.bytes.starts(with: request.name) }
        guard !request.uuid.isEmpty else { return named }
        var entries: [DeviceListEntry] = []
        for var entry in named {
            if version.minor < InterfaceVersion.listsUUIDs.minor {
                entry.uuid = try informationIfPresent(on: .number(entry.number))?.uuid
            }
            if let uuid = entry.uuid, uuid.bytes.starts(with: request.uuid) { entries.append(entry) }
        }
        return entries
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
    ///   - udev: The message to udev.
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

    /// Has a device stay that was to go away when it is closed for the last time.
    ///
    /// The corresponding ioctl is `DM_TARGET_MSG` with the message `@cancel_deferred_remove`.
    ///
    /// - Throws: ``DeviceMapperError/Code/noSuchDevice`` when the device is gone.
    public func cancelDeferredRemoval(of device: DeviceReference) throws(DeviceMapperError) {
        try sendMessage("@cancel_deferred_remove", to: device)
    }

    /// Removes every device that is not open, also the devices of other programs.
    ///
    /// The corresponding ioctl is `DM_REMOVE_ALL`.
    ///
    /// - Parameter deferred: Has the kernel remove each open device when the device is closed for the last time.
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
    /// - Throws: ``DeviceMapperError/Code/invalidArgument`` when the device has a uuid.
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
        if options.contains(.skipLockFS) { flags.insert(.skipLockFS) }
        if options.contains(.noFlush) { flags.insert(.noFlush) }
        try perform(ControlRequest(.suspendDevice, device, flags: flags))
    }

    /// Resumes a device; a table that was loaded before becomes active.
    ///
    /// The corresponding ioctl is `DM_DEV_SUSPEND`.
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - options: How the implied suspend of an active device treats requests in flight when a new table takes over.
    ///   - udev: The message to udev.
    /// - Throws: The target's refusal; the loaded table is gone then.
    @discardableResult
    public func resumeDevice(
        _ device: DeviceReference, options: SuspendOptions = [], udev: UdevNotice = .hidden
    ) throws(DeviceMapperError) -> DeviceInformation {
        var request = ControlRequest(.suspendDevice, device)
        if options.contains(.skipLockFS) { request.flags.insert(.skipLockFS) }
        if options.contains(.noFlush) { request.flags.insert(.noFlush) }
        return try perform(request, notifying: udev) { DeviceInformation($0) }
    }

    /// The state of a device.
    ///
    /// The corresponding ioctl is `DM_DEV_STATUS`.
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - inactive: Counts the targets of the table that was loaded and is not active yet.
    /// - Throws: ``DeviceMapperError/Code/noSuchDevice``.
    public func information(
        on device: DeviceReference, inactive: Bool = false
    ) throws(DeviceMapperError) -> DeviceInformation {
        let request = ControlRequest(.deviceStatus, device, flags: inactive ? .queryInactive : [])
        return try perform(request) { header, _ throws(DeviceMapperError) in
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
