internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import Glibc
internal import SystemPackage
internal import ThinProvisioning

/// The content of a layer, held open: until ``close()``, the layer stays mounted.
final class LayerContent {
    let id: LayerID
    /// The layer's thin device.
    let thinDevice: ThinDeviceID
    /// The number of the layer's mapped device.
    let device: DeviceNumber
    /// The directory with the content; `nil` in a layer that nobody has mounted yet, nor any that it descends from.
    private(set) var directory: FileDescriptor?
    /// What keeps the layer mounted, if nobody else does.
    private var mount: DetachedMount?
    /// Whether the layer's device was made for this and goes when it is closed.
    let ownsDevice: Bool
    /// Whether the file system keeps the times of its files in memory only, as it may when others have it mounted.
    let keepsTimesBack: Bool

    /// Opens the content of a layer that is mounted at a place.
    init(
        of id: LayerID, _ thinDevice: ThinDeviceID, on device: DeviceNumber, at path: FilePath, keepsTimesBack: Bool
    ) throws {
        self.id = id
        self.thinDevice = thinDevice
        self.device = device
        self.keepsTimesBack = keepsTimesBack
        ownsDevice = false
        directory = try .open(path, .readOnly, options: [.directory, .closeOnExec, .noFollow])
    }

    /// Opens the content of a layer that is mounted for this.
    init(
        of id: LayerID, _ record: LayerRecord, on device: DeviceNumber, _ mount: DetachedMount, ownsDevice: Bool
    ) throws(Errno) {
        self.id = id
        thinDevice = record.deviceID
        self.device = device
        keepsTimesBack = !ownsDevice
        self.mount = mount
        self.ownsDevice = ownsDevice
        let descriptor = unsafe openat(
            mount.root.rawValue, record.content.relativePath, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        if descriptor >= 0 {
            directory = FileDescriptor(rawValue: descriptor)
        } else if errno != ENOENT {
            throw Errno(rawValue: errno)
        }
    }

    deinit { close() }

    func close() {
        try? directory?.close()
        directory = nil
        mount = nil
    }
}

extension LayerStore {
    /// Opens the content of a layer for reading; the caller has the layer's lock, and may give it up afterwards.
    ///
    /// A device that is made for this is read-only, so that no file system can write to it: not even the journal of one
    /// that is mounted read-only. Nothing but other readers depends on such a device.
    func readableContent(
        of id: LayerID, as role: String = "the layer", in pool: ThinPool
    ) throws -> LayerContent {
        let record = try existing(id, as: role)
        guard let (device, held) = try usedDevice(record, pool.control) else {
            let (device, mount) = try mountForReading(id, record, in: pool)
            return try LayerContent(of: id, record, on: device, mount, ownsDevice: true)
        }
        defer { held.close() }
        if let content = try mountedContent(of: id, record, on: device) { return content }
        return try LayerContent(of: id, record, on: device.number, mountBesideOthers(device), ownsDevice: false)
    }

    /// Opens the content of a layer for writing; the caller has the layer's lock and keeps it.
    func writableContent(of id: LayerID, in pool: ThinPool) throws -> LayerContent {
        try requireWritable()
        let record = try existing(id)
        try requireNoService(for: record)
        try record.content.requireWritable()
        let used = try usedDevice(record, pool.control)
        defer { used?.held.close() }
        if let device = used?.device {
            if let content = try mountedContent(of: id, record, on: device) { return content }
            guard !device.isReadOnly else { throw busy(id, DeviceUser.users(of: device.number).map(LayerUser.init)) }
        }
        let device = try used?.device ?? activate(id, record, in: pool)
        let mount = try mount(device, .readWrite, removing: used == nil ? record.deviceID : nil, pool.control)
        // As when it is mounted at its place.
        if record.content.isMadeByStore {
            try prepareContent(FilePath("/proc/self/fd/\(mount.root.rawValue)/rootfs"), of: id)
        }
        return try LayerContent(of: id, record, on: device.number, mount, ownsDevice: used == nil)
    }

    /// Closes the content, and takes the layer down if it was mounted for this and nobody else has come to use it.
    ///
    /// - Parameter locking: Whether the layer's lock has to be taken.
    func close(_ content: LayerContent, locking: Bool = false) {
        guard content.ownsDevice else { return content.close() }
        // Otherwise a device that somebody else has made meanwhile, and not opened yet, could be taken for this one.
        let holder = locking ? try? lock.open() : nil
        try? holder?.lock([content.id])
        content.close()
        // What is still in use goes by itself when it is closed. A device that is to stay now was taken over by somebody.
        if let control = try? control(), let uuid = try? uuid(of: content.thinDevice),
            let device = try? control.informationIfPresent(on: .uuid(uuid)), device.isRemovalDeferred
        {
            _ = try? control.removeDevice(.uuid(uuid))
        }
        withExtendedLifetime(holder) {}
    }

    /// The layer's device, held open, if something has it open or is about to; what a process that died has left is removed.
    private func usedDevice(
        _ record: LayerRecord, _ control: Control
    ) throws -> (device: DeviceInformation, held: BlockDevice)? {
        while let device = try device(of: record.deviceID, control) {
            // A service has said where it is, and who was told has not mounted it yet.
            let isPromised =
                record.snapshot.map { $0.kind != .committed } == true && !device.isReadOnly
            if device.openCount > 0 || isPromised {
                // The last of those who have it may just have closed it.
                guard let held = try hold(device, of: record.deviceID, control) else { continue }
                return (device, held)
            }
            do {
                try control.removeDevice(device.reference)
            } catch {
                guard error.code == .noSuchDevice else { throw error }
            }
        }
        return nil
    }

    private func mountedContent(
        of id: LayerID, _ record: LayerRecord, on device: DeviceInformation
    ) throws -> LayerContent? {
        let mountPoint = directory.mountPoint(of: id)
        let mounts = try MountTable.current().entries
        guard let entry = mounts.last(where: { $0.device == device.number && $0.mountPoint == mountPoint }) else {
            return nil
        }
        return try LayerContent(
            of: id, record.deviceID, on: device.number, at: record.content.path(in: mountPoint),
            keepsTimesBack: MountOptions.words(entry.filesystemOptions).contains("lazytime"))
    }

    func mountForReading(
        _ id: LayerID, _ record: LayerRecord, in pool: ThinPool
    ) throws -> (DeviceNumber, DetachedMount) {
        do {
            let device = try activate(id, record, in: pool, isReadOnly: true)
            return (device.number, try mount(device, .readOnly, removing: record.deviceID, pool.control))
        } catch let error as FilesystemError where error.errno == .readOnlyFileSystem {
            // It was not unmounted properly, and is not what it should be before its journal has been replayed.
            let device = try activate(id, record, in: pool)
            return (device.number, try mount(device, .readOnly, removing: record.deviceID, pool.control))
        }
    }

    /// Mounts a layer that is mounted at another place already, or that another reader has open.
    private func mountBesideOthers(_ device: DeviceInformation) throws -> DetachedMount {
        // Who has been told where it is will want to write, which one that is mounted for reading only would not allow.
        if device.openCount == 0 { return try mount(device, .readOnlyView) }
        do {
            return try mount(device, .readOnly)
        } catch let error as FilesystemError where error.errno == .resourceBusy {
            return try mount(device, .readOnlyView)
        }
    }

    private func mount(_ device: DeviceInformation, _ access: DetachedMount.Access) throws -> DetachedMount {
        try DetachedMount(
            DeviceNode.path(of: device.number), type: configuration.filesystem.rawValue,
            options: access == .readWrite ? mountOptions(nil) : identityOptions, access)
    }

    /// Mounts a device and, if it was made for this, lets it go with its last user, even if this process is killed.
    func mount(
        _ device: DeviceInformation, _ access: DetachedMount.Access, removing number: ThinDeviceID?, _ control: Control
    ) throws -> DetachedMount {
        do {
            let mount = try mount(device, access)
            if let number { try control.removeDevice(.uuid(try uuid(of: number)), deferred: true) }
            return mount
        } catch {
            if let number { _ = try? control.removeDevice(.uuid(try uuid(of: number))) }
            throw error
        }
    }
}
