internal import BlockDevices
internal import DeviceMapper
internal import ThinProvisioning

/// Finding the mapped devices of layers.
extension LayerStore {
    /// The device of a layer if it is active; the caller has the layer's lock for itself.
    ///
    /// A process that activates or suspends the device has that lock as well. So a device that has no table yet, or is
    /// suspended, was left by a process that died, or by a command whose answer was lost. The first is removed, because nothing
    /// can be on it. The second is resumed: everybody who uses it would wait.
    func device(of number: ThinDeviceID, _ control: Control) throws(DeviceMapperError) -> DeviceInformation? {
        let reference = DeviceReference.uuid(try uuid(of: number))
        guard let device = try control.informationIfPresent(on: reference) else { return nil }
        guard device.hasActiveTable else {
            if let error = try failure(removing: uuid(of: number), control) { throw error }
            return nil
        }
        guard device.isSuspended else { return device }
        try control.resumeDevice(reference)
        return try control.informationIfPresent(on: reference)
    }

    /// Opens a device that was found, so that it stays while it is used.
    ///
    /// A layer's lock does not keep a device that goes with its last user, and the next device of anybody gets its number.
    ///
    /// - Returns: `nil` when it has gone.
    func hold(
        _ device: DeviceInformation, of number: ThinDeviceID, _ control: Control
    ) throws -> BlockDevice? {
        let opened = Result { try BlockDevice(try DeviceNode.path(of: device.number)) }
        guard try control.informationIfPresent(on: .uuid(uuid(of: number)))?.number == device.number else {
            (try? opened.get())?.close()
            return nil
        }
        return try opened.get()
    }
}
