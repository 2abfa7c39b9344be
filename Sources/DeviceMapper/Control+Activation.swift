internal import Glibc

extension Control {
    /// Creates a device, loads its table and resumes it; whatever of that fails, no device is left.
    ///
    /// - Parameters:
    ///   - name: The name of the new device.
    ///   - uuid: Its DM uuid.
    ///   - minor: The minor number to take, or `nil` for the next free one.
    ///   - table: Its table.
    ///   - udev: What udev is told.
    /// - Returns: The state of the device, with its number.
    /// - Throws: What the first refused command throws: ``DeviceMapperError/Code/busy`` when the name or the uuid is
    ///   taken, or the reason why a target did not accept its parameters.
    @discardableResult
    public func activateDevice(
        _ name: DeviceName, uuid: DeviceUUID?, minor: UInt32? = nil, table: MappingTable, udev: UdevNotice = .hidden
    ) throws(DeviceMapperError) -> DeviceInformation {
        do {
            try createDevice(name, uuid: uuid, minor: minor)
            try loadTable(table, into: .name(name))
            return try resumeDevice(.name(name), udev: udev)
        } catch {
            // Busy means that the name or the uuid is somebody else's. Otherwise the device was made here, also where the
            // kernel's answer says nothing of it. The first error is the one to report.
            if error.command != .createDevice || error.code != .busy {
                _ = try? removeDevice(uuid.map(DeviceReference.uuid) ?? .name(name))
            }
            throw error
        }
    }

    /// Gives an active device another table without interrupting what uses it.
    ///
    /// The new table is loaded before anything is suspended. One that cannot be made active leaves the device running:
    /// with its old table, or with the new one where that has had its effect and the old one is not accepted any more.
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - table: The new table.
    ///   - options: How requests in flight are treated while the tables are exchanged.
    /// - Throws: The reason why the new table was refused.
    public func replaceTable(
        of device: DeviceReference, with table: MappingTable, options: SuspendOptions
    ) throws(DeviceMapperError) {
        let previous = try self.table(of: device)
        do {
            try loadTable(table, into: device)
            try resumeDevice(device, options: options)
            Self.letDeferredRequestsThrough()
        } catch {
            // The kernel suspends before it exchanges the tables and stays suspended when the new one fails.
            for candidate in [previous, table] where !isRunning(device) {
                _ = try? loadTable(candidate, into: device)
                _ = try? resumeDevice(device, options: options)
            }
            throw error
        }
    }

    /// Gives the kernel's worker the time to hand in what was deferred while a device, or the thin pool below it, was
    /// suspended.
    ///
    /// For who keeps others from suspending it again meanwhile. When a suspension with ``SuspendOptions/noFlush`` begins,
    /// as a pool does it to its thin devices, a thin device hands every request back; a worker that is not done takes it
    /// up again at once, for ever, and on one processor nothing else runs any more (seen on Linux 5.10.46, not on 6.1 and
    /// 6.12). A pause makes that unlikely, no more.
    public static func letDeferredRequestsThrough() {
        usleep(20_000)
    }

    /// Whether a device is active and not suspended; a table that waits for its next resume is dropped then.
    ///
    /// Where the kernel does not say, it is taken for suspended: one resume too many does no harm.
    private func isRunning(_ device: DeviceReference) -> Bool {
        guard let information = try? information(on: device), !information.isSuspended else { return false }
        if information.hasInactiveTable { _ = try? clearTable(of: device) }
        return true
    }
}
