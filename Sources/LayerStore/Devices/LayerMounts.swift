internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import SystemPackage
internal import ThinProvisioning

/// The file systems of layers: mounted at their places in the store, and unmounted.
struct LayerMounts: Sendable {
    let devices: LayerDevices
    let configuration: StoreConfiguration
    private let directory: StoreDirectory
    private let access: StoreAccess

    init(
        _ devices: LayerDevices, _ configuration: StoreConfiguration, _ directory: StoreDirectory, _ access: StoreAccess
    ) {
        self.devices = devices
        self.configuration = configuration
        self.directory = directory
        self.access = access
    }

    // MARK: Options

    /// The options without which the kernel does not mount a layer, or would write where nothing may be written.
    ///
    /// Two devices of one XFS have the same UUID, which XFS refuses by default. Where nothing may be written, a journal must
    /// not be replayed.
    var identityOptions: [String] {
        let identity = configuration.filesystem == .xfs ? ["nouuid"] : []
        guard access == .readOnly else { return identity }
        return identity + ["ro", configuration.filesystem == .xfs ? "norecovery" : "noload"]
    }

    /// The options with which a layer is mounted.
    ///
    /// - Parameter label: The SELinux label of everything in the layer.
    /// - Throws: ``LayerStoreError/Code/invalidOption`` for a text that cannot be a label.
    func options(label: String?) throws(LayerStoreError) -> [String] {
        let context = try label.map { label throws(LayerStoreError) in
            guard !label.isEmpty, !label.contains(where: { "\"\n\\".contains($0) }) else {
                throw LayerStoreError(.invalidOption, "“\(label)” is no SELinux label")
            }
            return "context=\"\(label)\""
        }
        return identityOptions + configuration.mountOptions + [context].compactMap(\.self)
    }

    // MARK: Mounting

    /// Whether a device is mounted at the place of a layer.
    func isMounted(_ device: DeviceInformation, of id: LayerID) throws -> Bool {
        try Mount.isMounted(device.number, at: directory.mountPoint(of: id))
    }

    /// Activates a layer if it is not active, and mounts it; what fails is undone.
    ///
    /// - Parameter active: The result of ``LayerDevices/active(_:of:)``.
    func mount(
        _ layer: LockedLayer, _ record: LayerRecord, _ active: DeviceInformation?, label: String? = nil,
        in pool: ThinPool
    ) throws {
        let device: DeviceInformation
        do {
            device = try mount(layer, record, active, label, in: pool, isReadOnly: !record.content.isWritable)
        } catch let error as FilesystemError where error.errno == .readOnlyFileSystem && !record.content.isWritable {
            // It was not unmounted properly, and is not what it should be before its journal has been replayed.
            device = try mount(layer, record, nil, label, in: pool, isReadOnly: false)
        }
        do {
            try limitRetries(of: device.number)
        } catch {
            // The first failure is the one to report.
            _ = try? takeDown(layer, record.deviceID)
            throw error
        }
    }

    private func mount(
        _ layer: LockedLayer, _ record: LayerRecord, _ active: DeviceInformation?, _ label: String?, in pool: ThinPool,
        isReadOnly: Bool
    ) throws -> DeviceInformation {
        let mountPoint = directory.mountPoint(of: layer.id)
        let device = try devices.serving(record, of: layer, active, in: pool, isReadOnly: isReadOnly)
        do {
            try directory.makeMountPoint(of: layer.id)
            try Mount.mount(
                DeviceNode.path(of: device.number), at: mountPoint, type: configuration.filesystem.rawValue,
                options: try options(label: label) + (record.content.isWritable ? [] : ["ro"]))
            return device
        } catch {
            directory.removeMountPoint(of: layer.id)
            // A device that was there before stays, and goes with its last user if it was about to. A device that
            // cannot be removed here is handled by the next operation on the layer. The first failure is reported.
            if active?.number != device.number {
                _ = try? devices.failure(removing: record.deviceID)
            } else if active?.isRemovalDeferred == true {
                _ = try? devices.removeWhenClosed(record.deviceID)
            }
            throw error
        }
    }

    /// Checks that a layer that is mounted has a label.
    ///
    /// The kernel gives a file system its label when it is mounted, and never another.
    func requireLabel(_ label: String, of id: LayerID) throws {
        let mountPoint = directory.mountPoint(of: id)
        let present = try MountTable.current().entries.last { $0.mountPoint == mountPoint }?.label
        guard present != label else { return }
        throw LayerStoreError(
            .busy,
            "layer \(id) is mounted \(present.map { "with the label \($0)" } ?? "without a label"), and the label \(label) was "
                + "asked for; unmount it first, or leave --label out")
    }

    /// Keeps XFS from retrying for ever when the pool is full, which would leave processes that cannot be killed.
    ///
    /// The corresponding file is `/sys/fs/xfs/<device>/error/metadata/ENOSPC/max_retries`.
    private func limitRetries(of device: DeviceNumber) throws {
        guard configuration.filesystem == .xfs, access == .readWrite else { return }
        let file = FilePath("/sys/fs/xfs/dm-\(device.minor)/error/metadata/ENOSPC/max_retries")
        do {
            let descriptor = try FileDescriptor.open(file, .writeOnly, options: .closeOnExec)
            _ = try descriptor.closeAfter { try descriptor.writeAll("\(configuration.xfsNoSpaceRetryLimit)".utf8) }
        } catch {
            // A kernel without the file, before 4.10, retries for ever. That is a failure only where the option was given.
            if (error as? Errno) == .noSuchFileOrDirectory, configuration.xfsNoSpaceRetries == nil { return }
            throw LayerStoreError(
                .failed,
                "cannot write dm.xfs_nospace_max_retries=\(configuration.xfsNoSpaceRetryLimit) to \(file): \(error)",
                underlying: error)
        }
    }

    /// Mounts a layer that is not mounted for as long as `body` runs.
    func whileMounted(
        _ layer: LockedLayer, _ record: LayerRecord, in pool: ThinPool, _ body: (FilePath) throws -> Void
    ) throws {
        try mount(layer, record, devices.active(record.deviceID, of: layer), in: pool)
        do {
            try body(directory.mountPoint(of: layer.id))
        } catch {
            // The first failure is the one to report.
            _ = try? takeDown(layer, record.deviceID, isDeferred: true)
            throw error
        }
        // The work has succeeded. If a process has begun to read the layer meanwhile, the device goes away when that process ends.
        try takeDown(layer, record.deviceID, isDeferred: true)
    }

    // MARK: Content

    /// Makes the directory of a layer's content where it is missing.
    ///
    /// That is Docker's layout: the content is in `rootfs`, and a file `id` beside it names the first layer that was mounted of
    /// all that descend from each other. Both are inherited, so that only children of the base device need them.
    func prepareContent(_ content: FilePath, of id: LayerID) throws {
        guard access == .readWrite else { return }
        try StoreDirectory.makeContent(content, owner: configuration.owner)
        let file = content.removingLastComponent().appending("id")
        do {
            let descriptor = try FileDescriptor.open(
                file, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
            _ = try descriptor.closeAfter { try descriptor.writeAll(id.text.utf8) }
        } catch Errno.fileExists {
            return
        }
    }

    // MARK: Taking down

    /// Unmounts a layer if it is mounted, and removes its device if it is active.
    ///
    /// - Parameters:
    ///   - layer: The layer.
    ///   - number: Its thin device.
    ///   - isDeferred: Whether a layer in use is detached, and its device goes away when it is closed for the last time.
    /// - Throws: ``LayerStoreError/Code/busy`` with the users of the layer, unless that is deferred.
    @discardableResult
    func takeDown(_ layer: LockedLayer, _ number: ThinDeviceID, isDeferred: Bool = false) throws -> LayerRelease {
        guard let device = try devices.active(number, of: layer) else { return .done }
        var users: [LayerUser]?
        if try isMounted(device, of: layer.id) { users = try unmount(layer.id, device.number, isDeferred: isDeferred) }
        // Removing the directory also takes away copies of the mount in other mount namespaces.
        directory.removeMountPoint(of: layer.id)
        if users == nil {
            guard let error = try devices.failure(removing: number) else { return .done }
            let present = devices.users(of: device.number)
            guard isDeferred else { throw devices.busy(layer.id, present, error) }
            users = present
        }
        return try devices.removeWhenClosed(number) ? .done : .deferred(until: users ?? [])
    }

    /// - Returns: The processes that use the layer, where it could only be detached.
    private func unmount(_ id: LayerID, _ device: DeviceNumber, isDeferred: Bool) throws -> [LayerUser]? {
        let mountPoint = directory.mountPoint(of: id)
        do {
            if configuration.filesystem == .ext4 {
                try Ext4Journal.keepAfterFailedWrites(to: device, at: mountPoint)
            }
            try Mount.unmount(mountPoint)
            return nil
        } catch {
            guard error.errno == .resourceBusy else { throw error }
            let processes = DeviceUser.users(of: device).filter(\.isProcess).map(LayerUser.init)
            guard isDeferred else { throw devices.busy(id, processes, error) }
            try Mount.unmount(mountPoint, isLazy: true)
            return processes
        }
    }
}
