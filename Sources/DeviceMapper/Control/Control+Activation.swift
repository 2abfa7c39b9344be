extension Control {
    /// Creates a device, loads its table and resumes it.
    ///
    /// If the table cannot be loaded or the device cannot be resumed, the new device is removed again. A device that was
    /// there before is never removed: when the kernel refuses to create a device, it has made none.
    ///
    /// - Parameters:
    ///   - name: The name of the new device.
    ///   - uuid: Its DM uuid.
    ///   - minor: The minor number to take, or `nil` for the next free one.
    ///   - table: Its table.
    ///   - udev: The message to udev.
    /// - Returns: The state of the device, with its number.
    /// - Throws: The error of the first refused command: ``DeviceMapperError/Code/busy`` when the name or the uuid is
    ///   taken, or the reason why a target did not accept its parameters.
    @discardableResult
    public func activateDevice(
        _ name: DeviceName, uuid: DeviceUUID? = nil, minor: UInt32? = nil, table: MappingTable,
        udev: UdevNotice = .hidden
    ) throws(DeviceMapperError) -> DeviceInformation {
        let created = try createDevice(name, uuid: uuid, minor: minor)
        do {
            try loadTable(table, into: created.reference)
            return try resumeDevice(created.reference, udev: udev)
        } catch {
            removeCreated(created)
            throw error.about(name.description)
        }
    }

    /// Removes a device that this process has created, after a failure.
    ///
    /// The failure that led here is the one to report, so a second one is not.
    func removeCreated(_ created: DeviceInformation) {
        // A device without a uuid is known by its number only. Another process may have removed it meanwhile, and the
        // number may be the next device's.
        if created.uuid == nil {
            guard let present = try? information(on: created.reference), present.name == created.name else { return }
        }
        // A program that looks at each new device, as udev's rules do, may have it open for a moment.
        _ = try? removeDevice(created.reference, deferred: true)
    }

    /// Gives an active device another table without interrupting what uses it.
    ///
    /// The new table is loaded before anything is suspended. A table that cannot be made active leaves the device
    /// running: with its old table, or with the new one where that has had its effect and the old one is not accepted
    /// any more. A table that somebody else had loaded and not made active is replaced, as ``loadTable(_:into:)`` does;
    /// it stays when the kernel refuses the new one.
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - table: The new table.
    ///   - options: How requests in flight are treated while the tables are exchanged.
    /// - Throws: The reason why the new table was refused.
    public func replaceTable(
        of device: DeviceReference, with table: MappingTable, options: SuspendOptions
    ) throws(DeviceMapperError) {
        let (previous, hasInactive) = try tableAndSlot(of: device)
        do {
            try loadTable(table, into: device)
        } catch {
            // Nothing has been suspended. Where the answer was lost, the table may be there all the same.
            if !hasInactive { _ = try? clearTable(of: device) }
            throw error
        }
        // The kernel suspends the device before it exchanges the tables, and leaves it suspended when the new one fails.
        try withoutSignals { () throws(DeviceMapperError) in
            do throws(DeviceMapperError) {
                try resumeDevice(device, options: options)
                Self.letDeferredRequestsThrough()
            } catch {
                for candidate in [previous, table] where !isRunning(device) {
                    _ = try? loadTable(candidate, into: device)
                    _ = try? resumeDevice(device, options: options)
                }
                throw error
            }
        }
    }

    /// Gives a device a table of the same length on which every request fails.
    ///
    /// Requests that the old table keeps waiting end with an error, and the devices below are free. A table that was loaded and is
    /// not active is replaced.
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - options: How requests in flight are treated while the tables are exchanged.
    public func wipeTable(of device: DeviceReference, options: SuspendOptions = []) throws(DeviceMapperError) {
        let length = try table(of: device).length
        // A device without a table has no request to fail.
        guard length > 0 else { return }
        try replaceTable(of: device, with: MappingTable(ErrorTarget(), length: length), options: options)
    }

    /// Whether a device is active and not suspended; the table that was loaded for it and not made active is dropped
    /// then.
    ///
    /// Where the kernel does not say, it is taken for suspended: one resume too many does no harm.
    private func isRunning(_ device: DeviceReference) -> Bool {
        guard let information = try? information(on: device), !information.isSuspended else { return false }
        if information.hasInactiveTable { _ = try? clearTable(of: device) }
        return true
    }
}
