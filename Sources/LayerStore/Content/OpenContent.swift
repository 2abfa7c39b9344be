internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import SystemPackage
internal import ThinProvisioning

/// Opens the content of layers: where they are mounted, or by a mount of its own.
struct OpenContent {
    let core: StoreCore

    /// Opens the content of a layer for reading; the caller may give the layer's lock up afterwards.
    ///
    /// Nothing but other readers depends on a device that is made for this.
    func forReading(_ layer: LockedLayer, as role: String = "the layer", in pool: ThinPool) throws -> LayerContent {
        let record = try core.existing(layer.id, as: role)
        guard let (device, held) = try used(layer, record) else {
            let (device, mount) = try core.mounts.forReading(layer, record, in: pool)
            return try LayerContent(of: layer.id, record, on: device.number, mount, ownsDevice: true)
        }
        defer { held.close() }
        if let content = try mounted(layer.id, record, on: device) { return content }
        let mount = try core.mounts.besideOthers(device)
        return try LayerContent(of: layer.id, record, on: device.number, mount, ownsDevice: false)
    }

    /// Opens the content of a layer for writing; the caller keeps the layer's lock.
    ///
    /// - Parameter flushes: Whether the device is flushed where the file system wants it, which costs a commit of the pool each
    ///   time. Without, a crash can damage what is in a layer whose device is made for this.
    func forWriting(_ layer: LockedLayer, in pool: ThinPool, flushes: Bool) throws -> LayerContent {
        try core.requireWritable()
        let record = try core.existing(layer.id)
        try core.service.requireNone(for: record)
        try record.content.requireWritable()
        let used = try used(layer, record)
        defer { used?.held.close() }
        if let device = used?.device {
            if let content = try mounted(layer.id, record, on: device) { return content }
            try core.devices.requireUnread(device, layer.id)
        }
        let device = try used?.device ?? core.devices.activate(record, of: layer, in: pool)
        // Where /sys cannot be written, the device is flushed all the same.
        if !flushes, used == nil { try? SysfsBlock.dropFlushes(of: device.number) }
        let mount = try core.mounts.detached(device, .readWrite, removing: used == nil ? record.deviceID : nil)
        // As when it is mounted at its place.
        if record.content.isMadeByStore {
            try core.mounts.prepareContent(FilePath("/proc/self/fd/\(mount.root.rawValue)/rootfs"), of: layer.id)
        }
        return try LayerContent(of: layer.id, record, on: device.number, mount, ownsDevice: used == nil)
    }

    /// Closes the content, and takes the layer down if it was mounted for this and nothing else has come to use it.
    ///
    /// - Parameter locking: Whether the layer's lock has to be taken.
    func close(_ content: LayerContent, locking: Bool = false) {
        guard content.ownsDevice else { return content.close() }
        // Without the lock, a device that another operation has made meanwhile, and not opened yet, could be taken for this one.
        // Where the lock is not to be had in time, the device goes with its last user all the same.
        let holder = locking ? try? core.openLocks() : nil
        _ = try? holder?.lock([content.id])
        content.close()
        // A device that is to stay now was taken over by another operation.
        if let device = try? core.devices.present(content.thinDevice), device.isRemovalDeferred {
            _ = try? core.devices.removeWhenClosed(content.thinDevice)
        }
        withExtendedLifetime(holder) {}
    }

    /// The layer's device, held open, if something has it open or is about to; a device that a dead process left is removed.
    private func used(
        _ layer: LockedLayer, _ record: LayerRecord
    ) throws -> (device: DeviceInformation, held: BlockDevice)? {
        while let device = try core.devices.active(record.deviceID, of: layer) {
            // A service has told a client where it is, and the client has not mounted it yet.
            let isPromised = record.snapshot.map { $0.kind != .committed } == true && !device.isReadOnly
            if device.openCount > 0 || isPromised {
                // The last of those who have it may just have closed it.
                guard let held = try core.devices.hold(device, of: record.deviceID) else { continue }
                return (device, held)
            }
            if let error = try core.devices.failure(removing: record.deviceID) { throw error }
        }
        return nil
    }

    private func mounted(
        _ id: LayerID, _ record: LayerRecord, on device: DeviceInformation
    ) throws -> LayerContent? {
        let mountPoint = core.directory.mountPoint(of: id)
        let mounts = try MountTable.current().entries
        guard let entry = mounts.last(where: { $0.device == device.number && $0.mountPoint == mountPoint }) else {
            return nil
        }
        return try LayerContent(
            of: id, record.deviceID, on: device.number, at: record.content.path(in: mountPoint),
            keepsTimesBack: MountOptions.words(entry.filesystemOptions).contains("lazytime"))
    }
}
