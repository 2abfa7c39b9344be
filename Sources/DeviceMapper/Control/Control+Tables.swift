/// The lines that the kernel prints about the targets of a device.
public enum TargetLineKind: Hashable, Sendable {
    /// The status of each target.
    case status
    /// The table.
    case table
    /// The text of the table that the kernel gives its integrity subsystem to measure (interface 4.45). An older kernel
    /// answers with the status.
    case measurement

    var flags: ControlFlags {
        switch self {
        case .status: []
        case .table: .statusTable
        case .measurement: .measurement
        }
    }
}

extension Control {
    /// Loads a table that the next resume makes active.
    ///
    /// The corresponding ioctl is `DM_TABLE_LOAD` with `DM_SECURE_DATA_FLAG`: the kernel wipes its copy of the request, which may hold
    /// a key.
    ///
    /// - Throws: ``DeviceMapperError`` with the kernel's reason when a target does not accept its parameters,
    ///   ``DeviceMapperError/Code/invalidTable`` when the table cannot be put to the kernel at all.
    public func loadTable(_ table: MappingTable, into device: DeviceReference) throws(DeviceMapperError) {
        var request = ControlRequest(.loadTable, device)
        if table.isReadOnly { request.flags.insert(.readOnly) }
        request.targetCount = UInt32(clamping: table.entries.count)
        request.payload = try table.encoded()
        defer { request.wipePayload() }
        try perform(request)
    }

    /// Drops a table that was loaded and not made active.
    ///
    /// The corresponding ioctl is `DM_TABLE_CLEAR`.
    public func clearTable(of device: DeviceReference) throws(DeviceMapperError) {
        try perform(ControlRequest(.clearTable, device))
    }

    /// The devices that a table uses.
    ///
    /// The corresponding ioctl is `DM_TABLE_DEPS`.
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - inactive: Asks about the table that was loaded and is not active yet.
    public func dependencies(
        of device: DeviceReference, inactive: Bool = false
    ) throws(DeviceMapperError) -> [DeviceNumber] {
        let request = ControlRequest(.tableDependencies, device, flags: inactive ? .queryInactive : [])
        return try perform(request) { _, payload throws(DeviceMapperError) in try payload().dependencies() }
    }

    /// The table of a device, as the kernel words it.
    ///
    /// The corresponding ioctl is `DM_TABLE_STATUS` with `DM_STATUS_TABLE_FLAG`, and with `DM_SECURE_DATA_FLAG`: the kernel wipes its
    /// copy of the answer, which may hold a key.
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - inactive: Asks for the table that was loaded and is not active yet (`DM_QUERY_INACTIVE_TABLE_FLAG`).
    public func table(
        of device: DeviceReference, inactive: Bool = false
    ) throws(DeviceMapperError) -> MappingTable {
        try tableAndSlot(of: device, inactive: inactive).table
    }

    /// A table, and whether the device has one that was loaded and is not active yet.
    func tableAndSlot(
        of device: DeviceReference, inactive: Bool = false
    ) throws(DeviceMapperError) -> (table: MappingTable, hasInactive: Bool) {
        var request = ControlRequest(.tableStatus, device, flags: [.statusTable, .noFlush])
        if inactive { request.flags.insert(.queryInactive) }
        return try perform(request) { header, payload throws(DeviceMapperError) in
            let lines = try payload().targets(count: header.targetCount)
            let table = MappingTable(lines.map(TableEntry.init), isReadOnly: header.flags.contains(.readOnly))
            return (table, header.flags.contains(.inactivePresent))
        }
    }

    /// The status of each target of a device.
    ///
    /// The corresponding ioctl is `DM_TABLE_STATUS`.
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - inactive: Asks about the table that was loaded and is not active yet (`DM_QUERY_INACTIVE_TABLE_FLAG`).
    ///   - flushing: Lets a thin pool commit its metadata first, so that the figures are exact. That is three flushes
    ///     of its devices; without it nothing is written (`DM_NOFLUSH_FLAG`).
    public func status(
        of device: DeviceReference, inactive: Bool = false, flushing: Bool = false
    ) throws(DeviceMapperError) -> [TargetLine] {
        try lines(of: device, .status, inactive: inactive, flushing: flushing).lines
    }

    /// The text about each target that the kernel gives its integrity subsystem (IMA) to measure.
    ///
    /// The corresponding ioctl is `DM_TABLE_STATUS` with `DM_IMA_MEASUREMENT_FLAG` (Linux 5.15).
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - inactive: Asks about the table that was loaded and is not active yet.
    /// - Throws: ``DeviceMapperError/Code/notSupported`` on an older kernel, which would answer with the status.
    public func measurements(
        of device: DeviceReference, inactive: Bool = false
    ) throws(DeviceMapperError) -> [TargetLine] {
        guard try version() >= .tellsMeasurements else {
            throw DeviceMapperError(
                .notSupported, command: .tableStatus, device: device.description,
                detail: "the kernel tells since Linux 5.15 what it measures")
        }
        return try lines(of: device, .measurement, inactive: inactive).lines
    }

    /// The lines of a table or of a status, exactly as the kernel words them.
    ///
    /// The corresponding ioctl is `DM_TABLE_STATUS`.
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - kind: The lines that are asked for.
    ///   - inactive: Asks about the table that was loaded and is not active yet.
    ///   - flushing: Lets a thin pool commit its metadata first.
    /// - Returns: The lines, and the state of the device at the same moment.
    public func lines(
        of device: DeviceReference, _ kind: TargetLineKind, inactive: Bool = false, flushing: Bool = false
    ) throws(DeviceMapperError) -> (lines: [TargetLine], information: DeviceInformation) {
        var request = ControlRequest(.tableStatus, device, flags: kind.flags)
        if inactive { request.flags.insert(.queryInactive) }
        if !flushing { request.flags.insert(.noFlush) }
        return try perform(request) { header, payload throws(DeviceMapperError) in
            (try payload().targets(count: header.targetCount), DeviceInformation(header))
        }
    }

    /// Waits until the number of the device's last event is another than `eventNumber`.
    ///
    /// The corresponding ioctl is `DM_DEV_WAIT`; it cannot be given a deadline, see ``EventWatcher`` for that.
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - eventNumber: The number of the last event that the caller knows.
    ///   - flushing: Lets a thin pool commit its metadata before the kernel answers.
    @discardableResult
    public func waitForEvent(
        of device: DeviceReference, after eventNumber: UInt32, flushing: Bool = false
    ) throws(DeviceMapperError) -> DeviceInformation {
        var request = ControlRequest(.waitForEvent, device, flags: flushing ? [] : .noFlush)
        request.eventNumber = eventNumber
        return try perform(request) { header, _ throws(DeviceMapperError) in DeviceInformation(header) }
    }

    /// Sends a message to the target at `sector`.
    ///
    /// The corresponding ioctl is `DM_TARGET_MSG` with `DM_SECURE_DATA_FLAG`: the kernel wipes its copy of the message, which may hold a
    /// key.
    ///
    /// The message is sent once, whatever happens.
    ///
    /// - Parameters:
    ///   - message: The words of the message. The kernel splits them at white space; a backslash makes the next
    ///     character part of a word.
    ///   - device: The device.
    ///   - sector: A sector of the target that is meant.
    ///   - answerCapacity: Bytes that are kept for an answer. A longer answer is lost, with
    ///     ``DeviceMapperError/Code/answerTooLarge``.
    /// - Returns: The target's answer, or `nil` when it gives none.
    @discardableResult
    public func sendMessage(
        _ message: String, to device: DeviceReference, sector: Sectors = 0, answerCapacity: Int = 0
    ) throws(DeviceMapperError) -> String? {
        guard !message.utf8.contains(0) else {
            throw DeviceMapperError(
                .failed, command: .targetMessage, device: device.description, detail: "a message has no zero byte")
        }
        var request = ControlRequest(.targetMessage, device)
        request.payload.reserveCapacity(MemoryLayout<UInt64>.size + message.utf8.count + 1)
        unsafe withUnsafeBytes(of: sector.count) { unsafe request.payload.append(contentsOf: $0) }
        request.payload.append(contentsOf: message.utf8)
        request.payload.append(0)
        defer { request.wipePayload() }
        request.answerCapacity = max(0, min(answerCapacity, RequestBuffer.maximumSize / 2))
        return try perform(request) { header, payload throws(DeviceMapperError) in
            header.flags.contains(.dataOut) ? try payload().text() : nil
        }
    }
}
