internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
public import SystemPackage
internal import SystemCalls
internal import ThinProvisioning

/// A layer as a snapshot of containerd's whose device is active.
public struct ActiveSnapshot: Hashable, Sendable {
    /// The metadata of the layer.
    public let record: LayerRecord
    /// The path of its block device: `/dev/dm-N` of devtmpfs, which needs no udev.
    ///
    /// N is another number after the machine has been started again.
    public let devicePath: FilePath

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(record: LayerRecord, devicePath: FilePath) {
        self.record = record
        self.devicePath = devicePath
    }
}

/// Layers as containerd's snapshots: their devices are active while they are wanted, and containerd mounts them.
struct Snapshots {
    let core: StoreCore

    /// The options with which a snapshot is mounted, each by itself: containerd does not divide them.
    var mountOptions: [String] {
        (core.mounts.identityOptions + core.configuration.mountOptions)
            .flatMap { MountOptions.words($0).map(String.init) }.filter { $0 != "defaults" }
    }

    /// Makes a layer as a snapshot, with its device active.
    func create(
        _ id: LayerID, parent: LayerID?, size: UInt64?, _ snapshot: SnapshotRecord
    ) throws -> ActiveSnapshot {
        var path: FilePath?
        let record = try CreateLayer(core: core).run(id, parent: parent, size: size) { record, layer, pool in
            let device = try core.devices.activate(record, of: layer, in: pool)
            record.snapshot = snapshot
            record.snapshot?.poolEvents = try PoolEventMark(of: pool)
            record.snapshot?.inheritedBytes = try mappedBytes(of: device, in: pool)
            path = try DeviceNode.path(of: device.number)
        }
        guard let path else { throw LayerStoreError(.failed, "the layer \(id) has no device") }
        return ActiveSnapshot(record: record, devicePath: path)
    }

    /// Activates the device of a snapshot unless it is active.
    func activate(_ id: LayerID) throws -> ActiveSnapshot {
        if let active = try activeAlready(id) { return active }
        return try withUnreadLayer(id) { session, layer in
            let record = try core.existing(id)
            let device = try activeDevice(layer, record, in: session.pool)
            return ActiveSnapshot(record: record, devicePath: try DeviceNode.path(of: device.number))
        }
    }

    /// The snapshot, if its device is active and can be mounted as it is; `nil` also where another operation has the layer.
    ///
    /// containerd asks this before each mount. An answer that changes nothing needs only the layer's lock: an operation that
    /// activates, suspends or removes the layer's device has that lock, and nobody but the service removes the device of a
    /// snapshot.
    func activeAlready(_ id: LayerID) throws -> ActiveSnapshot? {
        let locks = try core.openLocks()
        defer { locks.close() }
        guard try locks.tryLock(id) != nil else { return nil }
        let record = try core.existing(id)
        guard let device = try core.devices.present(record.deviceID), device.hasActiveTable, !device.isSuspended,
            !device.isReadOnly, !device.isRemovalDeferred
        else { return nil }
        return ActiveSnapshot(record: record, devicePath: try DeviceNode.path(of: device.number))
    }

    /// Makes a snapshot one that does not change any more, durably, and takes its device down.
    func commit(_ id: LayerID, _ change: (inout SnapshotRecord) -> Void) throws -> LayerRecord {
        try withUnreadLayer(id) { session, layer in
            let pool = session.pool
            var record = try core.existing(id)
            // Data that found no space is missing in it, although no user who has unmounted it was told.
            if case .available(let state) = try pool.status(), state.mode == .outOfDataSpace {
                throw LayerStoreError(.notEnoughSpace, "the pool \(pool.name) is full; remove layers, or enlarge it")
            }
            let device = try activeDevice(layer, record, in: pool)
            if device.openCount > 0 {
                // The kernel freezes the file system, which brings what it holds back to the device.
                try session.suspending { try pool.control.whileSuspended(device.reference) {} }
            }
            // Its removal waits for this to be closed, and is the kernel's work then: it takes longer than all the rest.
            let opened = try BlockDevice(try DeviceNode.path(of: device.number))
            defer { opened.close() }
            // A writer without a file system, as a virtual machine, may not have flushed the device.
            try LostWrites(core: core).requireNone(id, record, in: pool) { try opened.flush() }
            record.snapshot?.committedBytes = try mappedBytes(of: device, in: pool)
            try save(&record, of: id, change)
            // The commit stands, whatever becomes of the device.
            _ = try? core.devices.removeWhenClosed(record.deviceID)
            return record
        }
    }

    /// Changes what containerd has written on a snapshot, durably.
    func update(_ id: LayerID, _ change: (inout SnapshotRecord) -> Void) throws -> LayerRecord {
        try StoreSession.run(in: core, locking: [id]) { _, _ in
            var record = try core.existing(id)
            try save(&record, of: id, change)
            return record
        }
    }

    /// How many bytes a snapshot has that were not its parent's.
    func ownBytes(of id: LayerID) throws -> UInt64 {
        let known = try core.existing(id)
        if let bytes = known.snapshot?.committedBytes { return Self.difference(bytes, known) }
        return try withUnreadLayer(id) { session, layer in
            let record = try core.existing(id)
            // It may have been committed while this waited. A device that was made for it now would stay active.
            if let bytes = record.snapshot?.committedBytes { return Self.difference(bytes, record) }
            let device = try activeDevice(layer, record, in: session.pool)
            return try Self.difference(mappedBytes(of: device, in: session.pool), record)
        }
    }

    private static func difference(_ bytes: UInt64, _ record: LayerRecord) -> UInt64 {
        bytes - min(bytes, record.snapshot?.inheritedBytes ?? 0)
    }

    // MARK: Devices

    /// Runs `body` when nobody reads the layer through a device that was made for that.
    ///
    /// A reader of a layer that is not active, as “dmlayer diff”, has such a device and no lock. It is waited for as long as
    /// other operations are.
    private func withUnreadLayer<Result>(
        _ id: LayerID, _ body: (StoreSession, LockedLayer) throws -> Result
    ) throws -> Result {
        var reader: DeviceNumber?
        // Without the lock, which the reader takes at its end.
        let result: Result? = try waiting(until: .after(core.patience)) {
            do {
                return try StoreSession.run(in: core, locking: [id]) { session, layers in try body(session, layers[0]) }
            } catch let error as BeingRead {
                reader = error.device
                return nil
            }
        }
        if let result { return result }
        throw core.devices.busy(id, reader.map(core.devices.users(of:)) ?? [])
    }

    /// Somebody reads a layer through a device that was made for it.
    private struct BeingRead: Error {
        let device: DeviceNumber
    }

    private func activeDevice(
        _ layer: LockedLayer, _ record: LayerRecord, in pool: ThinPool
    ) throws -> DeviceInformation {
        let device = try core.devices.active(record.deviceID, of: layer)
        if let device, device.openCount > 0 {
            // A layer whose journal had to be replayed is read through a device that can be written, and goes with the reader.
            if device.isReadOnly || device.isRemovalDeferred { throw BeingRead(device: device.number) }
        }
        return try core.devices.serving(record, of: layer, device, in: pool)
    }

    private func mappedBytes(of device: DeviceInformation, in pool: ThinPool) throws -> UInt64 {
        guard case .available(let mapped, _) = try pool.status(of: .number(device.number)) else { return 0 }
        return mapped.bytes
    }

    private func save(
        _ record: inout LayerRecord, of id: LayerID, _ change: (inout SnapshotRecord) -> Void
    ) throws {
        guard var snapshot = record.snapshot else {
            throw LayerStoreError(.noSuchLayer, "the layer \(id) is no snapshot")
        }
        change(&snapshot)
        record.snapshot = snapshot
        try core.registry.save(record, of: id)
    }
}
