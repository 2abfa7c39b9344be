/// Devices for a time.
extension Control {
    /// Runs `body` with a device that is removed afterwards, whatever happens.
    ///
    /// A device that `body` leaves open is removed by the kernel when it is closed for the last time.
    ///
    /// - Parameters:
    ///   - name: The name of the new device.
    ///   - uuid: Its DM uuid.
    ///   - table: Its table.
    ///   - udev: The flags and the cookie for udev.
    ///   - body: Gets the state of the device.
    /// - Throws: The errors of ``activateDevice(_:uuid:minor:table:udev:)`` and of `body`.
    public func withTemporaryDevice<Result>(
        _ name: DeviceName, uuid: DeviceUUID? = nil, table: MappingTable, udev: UdevNotice = .hidden,
        _ body: (DeviceInformation) throws -> Result
    ) throws -> Result {
        let device = try activateDevice(name, uuid: uuid, table: table, udev: udev)
        let result: Result
        do {
            result = try body(device)
        } catch {
            removeCreated(device)
            throw error
        }
        do {
            try removeDevice(device.reference, deferred: true, udev: udev)
        } catch {
            // `body` may have removed it by itself.
            guard error.code == .noSuchDevice else { throw error }
        }
        return result
    }
}
