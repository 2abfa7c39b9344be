internal import CShims

/// Layers as containerd's snapshots: their devices are active while they are wanted, and containerd mounts them.
extension LayerStore {
    /// The options that a snapshot is mounted with: those of the store, and what its file system needs.
    ///
    /// Each is one option: containerd does not divide them.
    public var snapshotMountOptions: [String] { Snapshots(core: core).mountOptions }

    /// Begins to serve the store's snapshots, until this object goes away.
    ///
    /// Commands that would take a snapshot from containerd are refused meanwhile. A device that a dead process left suspended
    /// is resumed within a second or two, without a call.
    ///
    /// - Throws: ``LayerStoreError/Code/busy`` when another process does.
    public func beginService() throws(LayerStoreError) {
        try attempting("serve the store \(root)") {
            try BeginService(core: core).run()
            core.watchSuspensions()
        }
    }

    /// Makes a layer as a snapshot, with its device active.
    ///
    /// As ``create(_:parent:size:)`` it costs one commit of the pool and what replacing a file costs; everything about the
    /// snapshot is in the layer's own file.
    ///
    /// - Parameters:
    ///   - id: The id of the new layer.
    ///   - parent: The layer to copy; `nil` takes the base device, that is, an empty file system.
    ///   - size: The size in bytes, at least the parent's; `nil` takes the parent's.
    ///   - snapshot: The record of the snapshot for containerd.
    /// - Throws: The errors of ``create(_:parent:size:)``.
    public func createSnapshot(
        _ id: LayerID, parent: LayerID?, size: UInt64?, _ snapshot: SnapshotRecord
    ) throws(LayerStoreError) -> ActiveSnapshot {
        try attempting("create layer \(id)") {
            try Snapshots(core: core).create(id, parent: parent, size: size, snapshot)
        }
    }

    /// Activates the device of a snapshot unless it is active, as it is not after the machine has been started again.
    ///
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``, or the kernel's error.
    public func activateSnapshot(_ id: LayerID) throws(LayerStoreError) -> ActiveSnapshot {
        try attempting("activate layer \(id)") { try Snapshots(core: core).activate(id) }
    }

    /// A snapshot whose device is active and can be mounted as it is; this waits for no other operation.
    ///
    /// - Returns: `nil` where ``activateSnapshot(_:)`` has something to do, or to wait for.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``, or the kernel's error.
    public func snapshotIfActive(_ id: LayerID) throws(LayerStoreError) -> ActiveSnapshot? {
        try attempting("ask whether layer \(id) is active") { try Snapshots(core: core).activeAlready(id) }
    }

    /// Makes a snapshot one that does not change any more, and takes its device down.
    ///
    /// A snapshot that is still mounted is frozen for a moment, so that all of its content counts. Its device goes behind the
    /// call, or with its last user. The change is on the disk when the call returns, which costs what replacing a file costs.
    ///
    /// - Parameters:
    ///   - id: The layer.
    ///   - change: Makes the record of the committed snapshot from the present one.
    /// - Returns: The new metadata of the layer.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``, ``LayerStoreError/Code/notEnoughSpace``,
    ///   ``LayerStoreError/Code/lostWrites``.
    public func commitSnapshot(
        _ id: LayerID, _ change: (inout SnapshotRecord) -> Void
    ) throws(LayerStoreError) -> LayerRecord {
        try attempting("commit layer \(id)") { try Snapshots(core: core).commit(id, change) }
    }

    /// Changes the record of a snapshot for containerd, durably.
    ///
    /// - Returns: The new metadata of the layer.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``.
    public func updateSnapshot(
        _ id: LayerID, _ change: (inout SnapshotRecord) -> Void
    ) throws(LayerStoreError) -> LayerRecord {
        try attempting("update layer \(id)") { try Snapshots(core: core).update(id, change) }
    }

    /// How many bytes a snapshot has that were not its parent's.
    ///
    /// A block that was its parent's and has been written again counts as the parent's.
    ///
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``.
    public func ownBytes(of id: LayerID) throws(LayerStoreError) -> UInt64 {
        try attempting("ask how much layer \(id) uses") { try Snapshots(core: core).ownBytes(of: id) }
    }

    /// Has the data of removed layers freed soon, as far as nothing uses them any more.
    public func freeRemovedLayers() { core.removals.schedule() }

    /// Whether the kernel can mount the store's file systems with other owners than the device has: id-mapped mounts.
    ///
    /// ext4 and XFS have had them since Linux 5.12, the release that has the system call for them.
    public static var hasMappedOwners: Bool { dmshim_require_mount_attributes() == 0 }

    /// The user and the group that own the top directory of a layer's content.
    ///
    /// A layer that is not mounted is mounted for the time of the call, as ``changes(of:against:cancellation:)`` does it.
    ///
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``; the kernel's error.
    public func owner(of id: LayerID) throws(LayerStoreError) -> (user: UInt32, group: UInt32) {
        try attempting("read the owner of layer \(id)") { try LayerDifference(core: core).owner(of: id) }
    }
}
