internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import SystemPackage
internal import ThinProvisioning

/// Mounts of layers at no place that another process sees. They end with the process, however it ends.
extension LayerMounts {
    /// Mounts a device.
    func detached(_ device: DeviceInformation, _ access: DetachedMount.Access) throws -> DetachedMount {
        try DetachedMount(
            DeviceNode.path(of: device.number), type: configuration.filesystem.rawValue,
            options: access == .readWrite ? options(label: nil) : identityOptions, access)
    }

    /// Mounts a device and, if it was made for this, lets it go with its last user, even if this process is killed.
    ///
    /// - Parameter number: The thin device of a device that was made for this.
    func detached(
        _ device: DeviceInformation, _ access: DetachedMount.Access, removing number: ThinDeviceID?
    ) throws -> DetachedMount {
        do {
            let mount = try detached(device, access)
            if let number { _ = try devices.removeWhenClosed(number) }
            return mount
        } catch {
            // The first failure is the one to report.
            if let number { _ = try? devices.failure(removing: number) }
            throw error
        }
    }

    /// Mounts a layer that is not active, for reading.
    ///
    /// The device is read-only, so that no file system can write to it: not even the journal of one that is mounted
    /// read-only.
    func forReading(
        _ layer: LockedLayer, _ record: LayerRecord, in pool: ThinPool
    ) throws -> (DeviceInformation, DetachedMount) {
        do {
            let device = try devices.activate(record, of: layer, in: pool, isReadOnly: true)
            return (device, try detached(device, .readOnly, removing: record.deviceID))
        } catch let error as FilesystemError where error.errno == .readOnlyFileSystem {
            // It was not unmounted properly, and is not what it should be before its journal has been replayed.
            let device = try devices.activate(record, of: layer, in: pool)
            return (device, try detached(device, .readOnly, removing: record.deviceID))
        }
    }

    /// Mounts a layer for reading that is mounted at another place already, or that another reader has open.
    func besideOthers(_ device: DeviceInformation) throws -> DetachedMount {
        // A client that was told where the device is will want to write, which a mount for reading only would not allow.
        if device.openCount == 0 { return try detached(device, .readOnlyView) }
        do {
            return try detached(device, .readOnly)
        } catch let error as FilesystemError where error.errno == .resourceBusy {
            return try detached(device, .readOnlyView)
        }
    }
}
