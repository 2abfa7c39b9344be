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
    /// - Parameters:
    ///   - id: The layer.
    ///   - label: The SELinux label of everything in it. A layer that is mounted already must have this label.
    /// - Returns: The absolute path of the layer's content: the directory `rootfs` in its file system, or all of that in
    ///   containerd's snapshots. A snapshot that must not change is mounted read-only.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``, or what the kernel says.
    public func mount(_ id: LayerID, label: String? = nil) throws(LayerStoreError) -> FilePath {
        try attempting("mount layer \(id)") {
            try requireLayer(id)
            return try withPool(layers: [id]) { pool, _ in
                let record = try existing(id)
                try requireNoService(for: record)
                let mountPoint = directory.mountPoint(of: id)
                let content = record.content.path(in: mountPoint)
                let active = try device(of: record.deviceID, pool.control)
                let wasMounted = try active.map { try isMounted($0.number, at: mountPoint) } ?? false
                if wasMounted, let label { try requireLabel(label, of: id, at: mountPoint) }
                if !wasMounted { try mount(id, record, active, label: label, in: pool, at: mountPoint) }
                // A failed enlargement can leave a layer mounted without it. A file system that is frozen, as while it is
                // copied, can be asked, and would let who writes wait.
                let hasContent = unsafe wasMounted && faccessat(AT_FDCWD, content.string, F_OK, 0) == 0
                if record.content.isMadeByStore, !hasContent {
                    do {
                        try prepareContent(content, of: id)
                    } catch {
                        if !wasMounted { _ = try? deactivate(id, record.deviceID) }
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
    /// A layer that is not mounted is left as it is. One that is in use is detached from its mount point, where removals
    /// are deferred, and can be mounted again.
    ///
    /// - Returns: Whether the layer has to wait for somebody who uses it.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``; ``LayerStoreError/Code/busy`` with who uses the layer, where
    ///   removals are not deferred.
    @discardableResult
    public func unmount(_ id: LayerID) throws(LayerStoreError) -> LayerRelease {
        try attempting("unmount layer \(id)") {
            let release = try withActivePool(layers: [id]) { _, _ -> LayerRelease in
                let record = try existing(id)
                try requireNoService(for: record)
                let count = mountCounts.withLock { $0[id] ?? 1 }
                if count > 1 {
                    mountCounts.withLock { $0[id] = count - 1 }
                    return .done
                }
                let release = try deactivate(id, record.deviceID, isDeferred: configuration.defersRemoval)
                mountCounts.withLock { $0[id] = nil }
                return release
            }
            if let release { return release }
            // Without its pool no layer is mounted.
            _ = try existing(id)
            return .done
        }
    }

    /// Activates a layer if it is not active, and mounts it; what fails is undone.
    private func mount(
        _ id: LayerID, _ record: LayerRecord, _ active: DeviceInformation?, label: String?, in pool: ThinPool,
        at mountPoint: FilePath
    ) throws {
        let device: DeviceInformation
        do {
            device = try mountActivated(
                id, record, active, label, in: pool, at: mountPoint, isReadOnly: !record.content.isWritable)
        } catch let error as FilesystemError where error.errno == .readOnlyFileSystem && !record.content.isWritable {
            // It was not unmounted properly, and is not what it should be before its journal has been replayed.
            device = try mountActivated(id, record, nil, label, in: pool, at: mountPoint, isReadOnly: false)
        }
        do {
            try limitRetries(of: device.number)
        } catch {
            _ = try? deactivate(id, record.deviceID)
            throw error
        }
    }

    private func mountActivated(
        _ id: LayerID, _ record: LayerRecord, _ active: DeviceInformation?, _ label: String?, in pool: ThinPool,
        at mountPoint: FilePath, isReadOnly: Bool
    ) throws -> DeviceInformation {
        let device = try activated(id, record, active, in: pool, isReadOnly: isReadOnly)
        do {
            try StoreDirectory.makeDirectory(mountPoint, mode: 0o755)
            try Mount.mount(
                DeviceNode.path(of: device.number), at: mountPoint, type: configuration.filesystem.rawValue,
                options: try mountOptions(label) + (record.content.isWritable ? [] : ["ro"]))
            return device
        } catch {
            _ = unsafe rmdir(mountPoint.string)
            // A device that was there before stays, and goes with its last user if it was about to.
            let wasThere = active?.number == device.number
            let isDeferred = active?.isRemovalDeferred ?? false
            if !wasThere || isDeferred {
                _ = try? pool.control.removeDevice(.uuid(try uuid(of: record.deviceID)), deferred: isDeferred)
            }
            throw error
        }
    }

    /// Two devices of one XFS have the same UUID, which XFS refuses by default.
    ///
    /// And where nothing may be written, a journal must not be replayed.
    var identityOptions: [String] {
        let identity = configuration.filesystem == .xfs ? ["nouuid"] : []
        guard access == .readOnly else { return identity }
        return identity + ["ro", configuration.filesystem == .xfs ? "norecovery" : "noload"]
    }

    /// Checks that a layer that is mounted has a label: the kernel gives a file system one when it is mounted, and no other
    /// later.
    private func requireLabel(_ label: String, of id: LayerID, at mountPoint: FilePath) throws {
        let present = try MountTable.current().entries.last { $0.mountPoint == mountPoint }?.label
        guard present != label else { return }
        throw LayerStoreError(
            .busy,
            "layer \(id) is mounted \(present.map { "with the label \($0)" } ?? "without a label"), and the label \(label) was "
                + "asked for; unmount it first, or leave --label out")
    }

    func mountOptions(_ label: String?) throws(LayerStoreError) -> [String] {
        let context = try label.map { label throws(LayerStoreError) in
            guard !label.isEmpty, !label.contains(where: { "\"\n\\".contains($0) }) else {
                throw LayerStoreError(.invalidOption, "“\(label)” is no SELinux label")
            }
            return "context=\"\(label)\""
        }
        return identityOptions + configuration.mountOptions + [context].compactMap(\.self)
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
            // A kernel without the file, before 4.10, retries for ever; that is a failure for who wants it otherwise.
            if (error as? Errno) == .noSuchFileOrDirectory, configuration.xfsNoSpaceRetries == nil { return }
            throw LayerStoreError(
                .failed,
                "cannot write dm.xfs_nospace_max_retries=\(configuration.xfsNoSpaceRetryLimit) to \(file): \(error)",
                underlying: error)
        }
    }

    /// The device of a layer: the one that is active, where it serves, or a new one.
    func activated(
        _ id: LayerID, _ record: LayerRecord, _ active: DeviceInformation?, in pool: ThinPool,
        isReadOnly: Bool = false
    ) throws -> DeviceInformation {
        if let active {
            if try !active.isReadOnly && cancelRemoval(of: active, pool.control) { return active }
            if access == .readOnly { return active }
            // One that somebody reads does for reading, and stays when that has ended.
            if try isReadOnly && cancelRemoval(of: active, pool.control) { return active }
            if active.isReadOnly, active.openCount > 0 {
                // Somebody reads the layer without having it mounted at a place.
                throw busy(id, DeviceUser.users(of: active.number).map(LayerUser.init))
            }
            if active.isReadOnly { _ = try failure(removing: uuid(of: record.deviceID), pool.control) }
        }
        return try activate(id, record, in: pool, isReadOnly: isReadOnly || access == .readOnly)
    }

    func activate(
        _ id: LayerID, _ record: LayerRecord, in pool: ThinPool, isReadOnly: Bool = false
    ) throws -> DeviceInformation {
        try pool.activate(
            record.deviceID, name: try directory.deviceName(of: id), uuid: try uuid(of: record.deviceID),
            length: Sectors(wholeSectorsIn: record.size), isReadOnly: isReadOnly)
    }

    /// Docker's layout: the content is in `rootfs`, and beside it a file `id` names the first layer that was mounted of
    /// all that descend from each other.
    ///
    /// Both are inherited, so that only children of the base device need them.
    func prepareContent(_ content: FilePath, of id: LayerID) throws {
        guard access == .readWrite else { return }
        try StoreDirectory.makeDirectory(content, mode: 0o755, owner: configuration.owner)
        let file = content.removingLastComponent().appending("id")
        do {
            let descriptor = try FileDescriptor.open(
                file, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
            _ = try descriptor.closeAfter { try descriptor.writeAll(id.text.utf8) }
        } catch Errno.fileExists {
            return
        }
    }

    /// Mounts a layer that is not mounted for as long as `body` runs.
    func whileMounted(
        _ id: LayerID, _ record: LayerRecord, in pool: ThinPool, _ body: (FilePath) throws -> Void
    ) throws {
        let mountPoint = directory.mountPoint(of: id)
        let active = try device(of: record.deviceID, pool.control)
        // One that is in use, detached, goes on waiting for its last user.
        let isDeferred = active?.isRemovalDeferred ?? false
        try mount(id, record, active, label: nil, in: pool, at: mountPoint)
        do {
            try body(mountPoint)
        } catch {
            _ = try? deactivate(id, record.deviceID, isDeferred: isDeferred)
            throw error
        }
        try deactivate(id, record.deviceID, isDeferred: isDeferred)
    }
}
