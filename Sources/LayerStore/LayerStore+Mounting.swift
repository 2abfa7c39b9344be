internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import Glibc
public import SystemPackage
internal import Synchronization
internal import ThinProvisioning

extension LayerStore {
    /// Mounts a layer.
    ///
    /// A layer that is mounted already is counted once more, and unmounted when ``unmount(_:)`` has been called as
    /// often. Nothing is committed in the pool.
    ///
    /// - Returns: The absolute path of the layer's content, the directory `rootfs` in its file system.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``, or what the kernel says.
    public func mount(_ id: LayerID) throws(LayerStoreError) -> FilePath {
        try attempting("mount layer \(id)") {
            try withPool(layers: [id]) { pool, _ in
                let record = try existing(id)
                let mountPoint = directory.mountPoint(of: id)
                let content = mountPoint.appending("rootfs")
                let active = try pool.control.informationIfPresent(on: .uuid(try uuid(of: id)))
                let wasMounted = try active.map { try isMounted($0.number, at: mountPoint) } ?? false
                if !wasMounted {
                    try mount(id, record, active, in: pool, at: mountPoint)
                    do {
                        try prepareContent(content, of: id)
                    } catch {
                        _ = try? deactivate(id)
                        throw error
                    }
                }
                // What was mounted before this object came to know of it counts as one.
                mountCounts.withLock { counts in counts[id] = wasMounted ? (counts[id] ?? 1) + 1 : 1 }
                return content
            }
        }
    }

    /// Unmounts a layer that was mounted as often as this has been called.
    ///
    /// A layer that is not mounted is left as it is.
    ///
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``; ``LayerStoreError/Code/busy`` with who uses the layer.
    public func unmount(_ id: LayerID) throws(LayerStoreError) {
        try attempting("unmount layer \(id)") {
            _ = try existing(id)
            // Without its pool no layer is mounted.
            guard try activePool() != nil else { return }
            try withPool(layers: [id]) { _, _ in
                let count = mountCounts.withLock { $0[id] ?? 1 }
                if count > 1 {
                    mountCounts.withLock { $0[id] = count - 1 }
                    return
                }
                try deactivate(id)
                mountCounts.withLock { $0[id] = nil }
            }
        }
    }

    /// Activates a layer if it is not active, and mounts it; what fails is undone.
    private func mount(
        _ id: LayerID, _ record: LayerRecord, _ active: DeviceInformation?, in pool: ThinPool, at mountPoint: FilePath
    ) throws {
        let device = try activated(id, record, active, in: pool)
        do {
            try StoreDirectory.makeDirectory(mountPoint, mode: 0o755)
            try Mount.mount(
                DeviceNode.path(of: device.number), at: mountPoint, type: configuration.filesystem.rawValue,
                options: mountOptions)
        } catch {
            _ = unsafe rmdir(mountPoint.string)
            _ = try? pool.control.removeDevice(.uuid(try uuid(of: id)))
            throw error
        }
    }

    /// Two devices of one XFS have the same UUID, which XFS refuses by default.
    private var mountOptions: [String] {
        (configuration.filesystem == .xfs ? ["nouuid"] : []) + configuration.mountOptions
    }

    /// The device of a layer, made anew where a process died before it had a table.
    private func activated(
        _ id: LayerID, _ record: LayerRecord, _ active: DeviceInformation?, in pool: ThinPool
    ) throws -> DeviceInformation {
        if let active {
            if active.hasActiveTable { return active }
            try pool.control.removeDevice(.uuid(try uuid(of: id)))
        }
        return try activate(id, record, in: pool)
    }

    func activate(_ id: LayerID, _ record: LayerRecord, in pool: ThinPool) throws -> DeviceInformation {
        try pool.activate(
            record.deviceID, name: try directory.deviceName(of: id), uuid: try uuid(of: id),
            length: Sectors(wholeSectorsIn: record.size))
    }

    /// Docker's layout: the content is in `rootfs`, and beside it a file `id` names the first layer that was mounted of
    /// all that descend from each other.
    ///
    /// Both are inherited, so that only children of the base device need them.
    private func prepareContent(_ content: FilePath, of id: LayerID) throws {
        try StoreDirectory.makeDirectory(content, mode: 0o755)
        let file = content.removingLastComponent().appending("id")
        do {
            let descriptor = try FileDescriptor.open(
                file, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
            _ = try descriptor.closeAfter { try descriptor.writeAll(id.text.utf8) }
        } catch Errno.fileExists {
            return
        }
    }

    /// Grows the file system of a layer that is larger than its parent and that nobody knows yet.
    func growNewLayer(_ id: LayerID, _ record: LayerRecord, in pool: ThinPool) throws {
        let mountPoint = directory.mountPoint(of: id)
        try mount(id, record, nil, in: pool, at: mountPoint)
        do {
            try FilesystemGrowth.grow(configuration.filesystem.type, at: mountPoint, to: record.size)
        } catch {
            _ = try? deactivate(id)
            throw error
        }
        try deactivate(id)
    }

    // MARK: Taking down

    /// Unmounts a layer if it is mounted, and removes its device if it is active.
    ///
    /// - Throws: ``LayerStoreError/Code/busy`` with who uses it.
    func deactivate(_ id: LayerID) throws {
        let control = try control()
        let uuid = try uuid(of: id)
        guard let device = try control.informationIfPresent(on: .uuid(uuid)) else { return }
        let mountPoint = directory.mountPoint(of: id)
        if try isMounted(device.number, at: mountPoint) {
            do {
                try Mount.unmount(mountPoint)
            } catch {
                guard error.errno == .resourceBusy else { throw error }
                throw busy(id, DeviceUser.users(of: device.number).filter(\.isProcess), error)
            }
        }
        // Removing the directory also takes away copies of the mount in other mount namespaces.
        _ = unsafe rmdir(mountPoint.string)
        try removeDevice(id, device, control)
    }

    /// Removes a layer's device; who had it open for a moment, as after an unmount elsewhere, gets half a second.
    private func removeDevice(_ id: LayerID, _ device: DeviceInformation, _ control: Control) throws {
        let uuid = try uuid(of: id)
        let deadline = ContinuousClock.now.advanced(by: .milliseconds(500))
        while let error = failure(removing: uuid, control) {
            guard error.code == .busy else { throw error }
            guard ContinuousClock.now < deadline else {
                throw busy(id, DeviceUser.users(of: device.number), error)
            }
            usleep(10_000)
        }
    }

    private func failure(removing uuid: DeviceUUID, _ control: Control) -> DeviceMapperError? {
        do {
            try control.removeDevice(.uuid(uuid))
            return nil
        } catch {
            return error.code == .noSuchDevice ? nil : error
        }
    }

    private func busy(_ id: LayerID, _ users: [DeviceUser], _ error: any Error) -> LayerStoreError {
        let who =
            users.isEmpty
            ? "something outside this process namespace" : users.map(\.description).joined(separator: ", ")
        return LayerStoreError(.busy, "layer \(id) is in use by \(who)", underlying: error)
    }

    func isMounted(_ device: DeviceNumber, at mountPoint: FilePath) throws -> Bool {
        try MountTable.current().entries.contains { $0.device == device && $0.mountPoint == mountPoint }
    }
}
