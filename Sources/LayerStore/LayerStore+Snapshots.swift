internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import Glibc
public import SystemPackage
internal import Synchronization
internal import ThinProvisioning

/// Layers as containerd's snapshots: their devices are active while they are wanted, and others mount them.
extension LayerStore {
    /// A layer as a snapshot whose device is there.
    public struct ActiveSnapshot: Hashable, Sendable {
        /// What the store keeps about the layer.
        public let record: LayerRecord
        /// The path of its block device: `/dev/dm-N` of devtmpfs, which needs no udev.
        ///
        /// N is another one after the machine has been started again.
        public let devicePath: FilePath
    }

    /// The options that a snapshot is mounted with: those of the store, and what its file system needs.
    ///
    /// Each is one option: containerd does not divide them.
    public var snapshotMountOptions: [String] {
        (identityOptions + configuration.mountOptions).flatMap { MountOptions.words($0).map(String.init) }
            .filter { $0 != "defaults" }
    }

    /// Says that this object serves the store's snapshots, until it goes away.
    ///
    /// Commands that would take a snapshot from containerd refuse that meanwhile.
    ///
    /// - Throws: ``LayerStoreError/Code/busy`` when another process does.
    public func beginService() throws(LayerStoreError) {
        try attempting("serve the store \(root)") {
            try requireWritable()
            let holder = try lock.open()
            guard try holder.tryLock(.snapshots) else {
                throw LayerStoreError(.busy, "another “dmlayer serve” serves it; stop that one first")
            }
            service.withLock { $0 = holder }
            do {
                // What was allowed before, while nobody served them, is over then.
                try isolate(holder)
                try holder.unlock(.store)
                try emptyBaseDevice()
                try deactivateCommittedSnapshots()
            } catch {
                service.withLock { $0 = nil }
                throw error
            }
        }
    }

    /// Makes a layer as a snapshot, with its device active.
    ///
    /// As ``create(_:parent:size:)`` it costs one commit of the pool and what replacing a file costs; everything about the
    /// snapshot is in the layer's own file.
    ///
    /// - Parameters:
    ///   - id: The id of the new layer.
    ///   - parent: What to copy; `nil` takes the base device, that is, an empty file system.
    ///   - size: The size in bytes, at least the parent's; `nil` takes the parent's.
    ///   - snapshot: What containerd knows about it.
    /// - Throws: What ``create(_:parent:size:)`` throws.
    public func createSnapshot(
        _ id: LayerID, parent: LayerID?, size: UInt64?, _ snapshot: SnapshotRecord
    ) throws(LayerStoreError) -> ActiveSnapshot {
        var path: FilePath?
        let record = try create(id, parent: parent, size: size) { record, pool in
            let device = try activate(id, record, in: pool)
            record.snapshot = snapshot
            record.snapshot?.poolEvents = try eventMark(of: pool)
            record.snapshot?.inheritedBytes = try mappedBytes(of: device, in: pool)
            path = try DeviceNode.path(of: device.number)
        }
        guard let path else { throw LayerStoreError(.failed, "the layer \(id) has no device") }
        return ActiveSnapshot(record: record, devicePath: path)
    }

    /// Activates the device of a snapshot unless it is active, as it is not after the machine has been started again.
    ///
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``, or what the kernel says.
    public func activateSnapshot(_ id: LayerID) throws(LayerStoreError) -> ActiveSnapshot {
        try attempting("activate layer \(id)") {
            try withUnreadLayer(id) { pool, _ in
                let record = try existing(id)
                let device = try activeDevice(id, record, in: pool)
                return ActiveSnapshot(record: record, devicePath: try DeviceNode.path(of: device.number))
            }
        }
    }

    /// Makes a snapshot one that does not change any more, and takes its device down.
    ///
    /// One that is still mounted is frozen for a moment, so that all of its content counts. Its device goes behind the call,
    /// or with its last user. The change is on the disk when the call returns, which costs what replacing a file costs.
    ///
    /// - Parameters:
    ///   - id: The layer.
    ///   - change: Makes the record of the committed snapshot from the present one.
    /// - Returns: What the store keeps about the layer now.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``, ``LayerStoreError/Code/notEnoughSpace``,
    ///   ``LayerStoreError/Code/lostWrites``.
    public func commitSnapshot(
        _ id: LayerID, _ change: (inout SnapshotRecord) -> Void
    ) throws(LayerStoreError) -> LayerRecord {
        try attempting("commit layer \(id)") {
            try withUnreadLayer(id) { pool, holder in
                var record = try existing(id)
                // What was written and found no space is not in it, although nobody who has unmounted it was told.
                if case .available(let state) = try pool.status(), state.mode == .outOfDataSpace {
                    throw LayerStoreError(
                        .notEnoughSpace, "the pool \(pool.name) is full; remove layers, or enlarge it")
                }
                let device = try activeDevice(id, record, in: pool)
                if device.openCount > 0 { try freezeForAMoment(device, in: pool, holder) }
                // Its removal waits for this to be closed, and is the kernel's work then: it takes longer than all the rest.
                let opened = try BlockDevice(try DeviceNode.path(of: device.number))
                defer { opened.close() }
                // Who has written to the device without a file system, as a virtual machine, may not have flushed it.
                try requireAllWrites(id, record, in: pool) { try opened.flush() }
                record.snapshot?.committedBytes = try mappedBytes(of: device, in: pool)
                try save(&record, of: id, change)
                // The commit stands, whatever becomes of the device.
                _ = try? removeWhenClosed(uuid(of: record.deviceID), pool.control)
                return record
            }
        }
    }

    /// Changes what containerd has written on a snapshot, durably.
    ///
    /// - Returns: What the store keeps about the layer now.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``.
    public func updateSnapshot(
        _ id: LayerID, _ change: (inout SnapshotRecord) -> Void
    ) throws(LayerStoreError) -> LayerRecord {
        try attempting("update layer \(id)") {
            try withPool(layers: [id]) { _, _ in
                var record = try existing(id)
                try save(&record, of: id, change)
                return record
            }
        }
    }

    /// How many bytes a snapshot has that were not its parent's.
    ///
    /// A block that was its parent's and has been written again counts as the parent's.
    ///
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``.
    public func ownBytes(of id: LayerID) throws(LayerStoreError) -> UInt64 {
        try attempting("ask how much layer \(id) uses") {
            let known = try existing(id)
            if let bytes = known.snapshot?.committedBytes { return Self.difference(bytes, known) }
            return try withUnreadLayer(id) { pool, _ in
                let record = try existing(id)
                // It may have been committed while this waited; a device that was made for it now nobody would take down.
                if let bytes = record.snapshot?.committedBytes { return Self.difference(bytes, record) }
                return try Self.difference(mappedBytes(of: activeDevice(id, record, in: pool), in: pool), record)
            }
        }
    }

    private static func difference(_ bytes: UInt64, _ record: LayerRecord) -> UInt64 {
        bytes - min(bytes, record.snapshot?.inheritedBytes ?? 0)
    }

    /// Lets the data of removed layers be freed soon, as far as nobody uses them any more.
    public func freeRemovedLayers() {
        scheduleRemovals()
    }

    /// Refuses what would take a snapshot, or all of them, from the service that has them.
    ///
    /// - Parameter record: The layer; `nil` stands for all.
    func requireNoService(for record: LayerRecord? = nil) throws(LayerStoreError) {
        if let record, record.snapshot == nil { return }
        guard service.withLock({ $0 == nil }), try lock.isHeld(.snapshots) else { return }
        guard let snapshot = record?.snapshot else {
            throw LayerStoreError(.busy, "“dmlayer serve” serves its snapshots; stop that first")
        }
        throw LayerStoreError(
            .busy,
            "it is the snapshot “\(snapshot.key)” of “dmlayer serve”; change it through containerd, or stop that first")
    }

    // MARK: Devices

    /// Runs `body` as ``withPool(layers:sharing:_:)`` does, when nobody reads the layer through a device made for that.
    ///
    /// Who reads a layer that is not active, as “dmlayer diff” does, has such a device and no lock. It is waited for as long as for
    /// other operations.
    private func withUnreadLayer<Result>(
        _ id: LayerID, _ body: (ThinPool, StoreLock.Holder) throws -> Result
    ) throws -> Result {
        let deadline = ContinuousClock.now.advanced(by: patience)
        while true {
            do {
                return try withPool(layers: [id], body)
            } catch let error as BeingRead {
                guard ContinuousClock.now < deadline else {
                    throw busy(id, DeviceUser.users(of: error.device).map(LayerUser.init))
                }
            }
            // Without the lock, which the reader takes at its end.
            usleep(20_000)
        }
    }

    /// Somebody reads a layer through a device that was made for it.
    private struct BeingRead: Error {
        let device: DeviceNumber
    }

    private func activeDevice(_ id: LayerID, _ record: LayerRecord, in pool: ThinPool) throws -> DeviceInformation {
        let device = try device(of: record.deviceID, pool.control)
        if let device, device.openCount > 0 {
            // One whose journal had to be replayed is read through a device that can be written, and goes with the reader.
            if device.isReadOnly || device.isRemovalDeferred { throw BeingRead(device: device.number) }
        }
        return try activated(id, record, device, in: pool)
    }

    /// Takes down what a service left active that died between a commit and its end.
    private func deactivateCommittedSnapshots() throws {
        let control = try control()
        for device in try control.devices(withPrefix: directory.devicePrefix) {
            guard let id = try? LayerID(String(device.name.description.dropFirst(directory.devicePrefix.count))) else {
                continue
            }
            // Who has its lock, as a reader has while it makes the device its own, takes it down as well.
            let holder = try lock.open()
            guard try holder.tryLock(.layer(id)) else { continue }
            defer { try? holder.unlock(.layer(id)) }
            // A file that cannot be understood says nothing, and what it is about stays as it is.
            guard let record = try? metadata.record(of: id), record.snapshot?.kind == .committed else { continue }
            _ = try? removeWhenClosed(uuid(of: record.deviceID), control)
        }
    }

    private func mappedBytes(of device: DeviceInformation, in pool: ThinPool) throws -> UInt64 {
        guard case .available(let mapped, _) = try pool.status(of: .number(device.number)) else { return 0 }
        return mapped.bytes
    }

    /// Brings what a file system holds back to its device: the kernel freezes it, and thaws it at once.
    ///
    /// The mark in the lock file has the next one resume the device if this process ends in between.
    private func freezeForAMoment(
        _ device: DeviceInformation, in pool: ThinPool, _ holder: StoreLock.Holder
    ) throws {
        try allocator.beginUnsafe(holder)
        let frozen = Result { try pool.control.suspendDevice(device.reference) }
        // Whatever happens, nobody may be left waiting on a suspended device.
        if (try? pool.control.resumeDevice(device.reference)) == nil {
            try pool.control.resumeDevice(device.reference)
        }
        try allocator.endUnsafe(holder)
        try frozen.get()
    }

    private func save(
        _ record: inout LayerRecord, of id: LayerID, _ change: (inout SnapshotRecord) -> Void
    ) throws {
        guard var snapshot = record.snapshot else {
            throw LayerStoreError(.noSuchLayer, "the layer \(id) is no snapshot")
        }
        change(&snapshot)
        record.snapshot = snapshot
        try metadata.save(record, of: id)
    }

    /// Takes the directory that mkfs puts into every ext4 out of the base device: a container image does not have it.
    private func emptyBaseDevice() throws {
        guard configuration.filesystem == .ext4 else { return }
        try withPool(layers: [.base]) { pool, _ in
            let record = try existing(.base)
            // A process that was killed may have left it.
            try deactivate(.base, record.deviceID)
            guard try hasLostAndFound(record, in: pool) else { return }
            // The device that it was read through is on its way out.
            if let error = try failure(removing: uuid(of: record.deviceID), pool.control) { throw error }
            let device = try activate(.base, record, in: pool)
            let mount = try mount(device, .readWrite, removing: record.deviceID, pool.control)
            try withExtendedLifetime(mount) {
                guard unsafe unlinkat(mount.root.rawValue, "lost+found", AT_REMOVEDIR) == 0 else {
                    throw Errno(rawValue: errno)
                }
            }
        }
    }

    /// Reads the base device only, so that it goes on sharing every block with what was made from it.
    private func hasLostAndFound(_ record: LayerRecord, in pool: ThinPool) throws -> Bool {
        let (_, mount) = try mountForReading(.base, record, in: pool)
        return withExtendedLifetime(mount) {
            unsafe faccessat(mount.root.rawValue, "lost+found", F_OK, AT_SYMLINK_NOFOLLOW) == 0
        }
    }
}
