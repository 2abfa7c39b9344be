public import DeviceMapper
public import SystemPackage

/// A store of layers: Docker's devicemapper driver on a thin pool.
///
/// A layer is a thin device with a file system, made as a snapshot of its parent; the first ones are made of the base
/// device, which holds an empty file system. Layers are independent of each other once they exist.
///
/// All methods block, and may be called from any thread. Work on different layers goes on at the same time; another
/// process may have the same store open. All waits of a call together end with ``LayerStoreError/Code/busy`` when the
/// patience of the store does.
public final class LayerStore: Sendable {
    /// The parts that the operations share.
    let core: StoreCore

    /// Opens a store.
    ///
    /// Its pool is activated when something needs it.
    ///
    /// - Parameters:
    ///   - root: The root of the store.
    ///   - options: Options, which must not contradict the configuration of the store.
    ///   - transport: How commands reach the kernel; `nil` opens the control node when it is needed.
    ///   - access: Whether anything may be written. With `.readOnly` the store must not be in use otherwise; layers are
    ///     mounted below `/run/dmlayer`, what a crash left is not put right, and what changes anything is refused.
    ///   - removals: When the data of removed layers becomes free.
    ///   - patience: How long a call waits for the operations of others, all of its waits together.
    /// - Throws: ``LayerStoreError/Code/notInitialized``, ``LayerStoreError/Code/optionsContradict``.
    public convenience init(
        opening root: FilePath, options: StorageOptions = StorageOptions(), transport: (any ControlTransport)? = nil,
        access: StoreAccess = .readWrite, removals: RemovalPolicy = .inBackground, patience: Duration = .seconds(30)
    ) throws(LayerStoreError) {
        try self.init(
            StoreCore.open(root, options, transport, access: access, removals: removals, patience: patience))
    }

    init(_ core: StoreCore) {
        self.core = core
        core.removals.install { [weak core] in try core.map { try RemoveLayer(core: $0).endAll() } ?? 0 }
    }

    deinit { core.stop() }

    /// The root of the store.
    public var root: FilePath { core.directory.root }

    /// The configuration of the store, as `store.json` keeps it.
    public var configuration: StoreConfiguration { core.configuration }

    /// Whether anything may be written to the store's files and devices.
    public var access: StoreAccess { core.access }

    // MARK: Making a store

    /// Makes a store, or changes the options of one that is complete.
    ///
    /// A store is complete when this has returned for the first time. Until then nothing is fixed: a call that fails takes
    /// away everything that it made, a call behind one that was killed takes away what that one made, and both leave what
    /// was there before.
    ///
    /// On a store that is complete, options which may change are kept from now on. A larger `dm.basesize` makes the base
    /// device larger, and larger loop files enlarge the pool. A call that fails changes no option; what has grown by then
    /// stays, and the same call goes on from there.
    ///
    /// - Parameters:
    ///   - root: The root; it is made if it does not exist.
    ///   - options: The options. They are kept; those that fix what a store is must be the ones that it was made with.
    ///   - owner: The owner of the root of each layer, if it is not root: the user and group that a container's root is
    ///     outside its user namespace.
    ///   - transport: How commands reach the kernel; `nil` opens the control node.
    ///   - removals: When the data of removed layers becomes free.
    ///   - note: Is told about requests that were not carried out, although nothing failed.
    /// - Throws: ``LayerStoreError/Code/optionsContradict``, ``LayerStoreError/Code/invalidOption``,
    ///   ``LayerStoreError/Code/backingStore``, ``LayerStoreError/Code/notEnoughSpace``; ``LayerStoreError/Code/busy``
    ///   when other operations on the store do not end within 30 seconds.
    public static func initialize(
        _ root: FilePath, options: StorageOptions = StorageOptions(), owner: LayerOwner? = nil,
        transport: (any ControlTransport)? = nil, removals: RemovalPolicy = .inBackground,
        note: (String) -> Void = { _ in }
    ) throws(LayerStoreError) -> LayerStore {
        try attempting("make a store in \(root)") {
            try withoutActuallyEscaping(note) { note in
                try LayerStore(
                    InitializeStore(
                        root: root, options: options, owner: owner,
                        open: { try StoreCore($0, $1, transport: transport, removals: removals) }, note: note
                    ).run())
            }
        }
    }

    /// Takes away what an `init` that was killed has left: devices that are active, and files.
    ///
    /// - Parameters:
    ///   - root: The root.
    ///   - transport: How commands reach the kernel; `nil` opens the control node.
    /// - Returns: Whether there was such a store.
    /// - Throws: ``LayerStoreError/Code/busy`` while an `init` is at work, or the kernel's error.
    public static func takeAwayIncomplete(
        _ root: FilePath, transport: (any ControlTransport)? = nil
    ) throws(LayerStoreError) -> Bool {
        try attempting("take down the incomplete store in \(root)") {
            try InitializeStore.takeAwayIncomplete(root) {
                try StoreCore($0, $1, transport: transport, removals: .beforeReturning)
            }
        }
    }

    // MARK: Layers

    /// Makes a layer as a snapshot of another.
    ///
    /// The layer is on the disk when the call returns; that costs one commit of the pool and one synchronisation,
    /// or two where the root is not on ext4 or XFS. A parent that is mounted is frozen for the moment of the snapshot.
    ///
    /// - Parameters:
    ///   - id: The id of the new layer.
    ///   - parent: The layer to copy; `nil` takes the base device, that is, an empty file system.
    ///   - size: The size in bytes, at least the parent's, rounded up to sectors of 512; `nil` takes the parent's. The file
    ///     system grows with it.
    /// - Returns: The metadata of the new layer.
    /// - Throws: ``LayerStoreError/Code/layerExists``, ``LayerStoreError/Code/noSuchLayer`` for the parent,
    ///   ``LayerStoreError/Code/sizeTooSmall``, ``LayerStoreError/Code/notEnoughSpace``.
    @discardableResult
    public func create(
        _ id: LayerID, parent: LayerID? = nil, size: UInt64? = nil
    ) throws(LayerStoreError) -> LayerRecord {
        try attempting("create layer \(id)") { try CreateLayer(core: core).run(id, parent: parent, size: size) }
    }

    /// Mounts a layer.
    ///
    /// A layer that is mounted already stays as it is. Nothing is committed in the pool.
    ///
    /// - Parameters:
    ///   - id: The layer.
    ///   - label: The SELinux label of everything in it. A layer that is mounted already must have this label.
    /// - Returns: The absolute path of the layer's content: the directory `rootfs` in its file system, or all of that in
    ///   containerd's snapshots. A snapshot that must not change is mounted read-only.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``, or the kernel's error.
    public func mount(_ id: LayerID, label: String? = nil) throws(LayerStoreError) -> FilePath {
        try attempting("mount layer \(id)") { try MountLayer(core: core).mount(id, label: label) }
    }

    /// Unmounts a layer.
    ///
    /// However often the layer was mounted, one call unmounts it. A layer that is not mounted is left as it is. A layer that is
    /// in use is detached from its mount point, where removals are deferred, and can be mounted again.
    ///
    /// - Returns: Whether the layer has to wait for its users.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``; ``LayerStoreError/Code/busy`` with the users of the layer, where
    ///   removals are not deferred.
    @discardableResult
    public func unmount(_ id: LayerID) throws(LayerStoreError) -> LayerRelease {
        try attempting("unmount layer \(id)") { try MountLayer(core: core).unmount(id) }
    }

    /// Removes a layer; layers made from it stay what they are.
    ///
    /// The layer is gone, durably, when the call returns; that costs one synchronisation. The blocks that no other layer
    /// shares become free behind that, which costs one commit of the pool: ``RemovalPolicy`` says when. Removing a layer
    /// that does not exist succeeds.
    ///
    /// - Returns: Whether the blocks have to wait for users of the layer, and whether there was such a layer.
    /// - Throws: ``LayerStoreError/Code/busy`` with the users of the layer, where deletions are not deferred.
    @discardableResult
    public func remove(_ id: LayerID) throws(LayerStoreError) -> LayerRelease {
        try attempting("remove layer \(id)") { try RemoveLayer(core: core).run(id) }
    }

    /// Makes a layer or the base device larger, while it is mounted as well; its file system grows with it.
    ///
    /// A call that was interrupted can be repeated. Layers that are made from the base device later get its new size;
    /// layers that exist keep theirs.
    ///
    /// - Parameters:
    ///   - id: The layer, or ``LayerID/base``.
    ///   - size: The new size in bytes, at least the present one, rounded up to sectors of 512.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``; ``LayerStoreError/Code/sizeTooSmall``, for nothing can shrink.
    public func resize(_ id: LayerID, to size: UInt64) throws(LayerStoreError) {
        try attempting("resize \(id == .base ? "the base device" : "layer \(id)")") {
            try ResizeLayer(core: core).run(id, to: size)
        }
    }

    /// Everything that uses a layer's device: processes with files open, mounts in any namespace, devices on top.
    ///
    /// Users that this process may not see, as from inside a container, are left out.
    ///
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``.
    public func users(of id: LayerID) throws(LayerStoreError) -> [LayerUser] {
        try attempting("look for the users of layer \(id)") { try LayerReporting(core: core).users(of: id) }
    }

    /// All layers and the base device, in the order of their ids.
    ///
    /// Nothing is asked of the kernel, unless a process died while it kept a device suspended.
    public func layers() throws(LayerStoreError) -> [LayerListing] {
        try attempting("list the layers") { try LayerReporting(core: core).list() }
    }

    /// The metadata of a layer, and the state of its device.
    ///
    /// Nothing is activated and nothing is committed.
    ///
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``, ``LayerStoreError/Code/damagedMetadata``.
    public func details(of id: LayerID) throws(LayerStoreError) -> LayerDetails {
        try attempting("inspect layer \(id)") { try LayerReporting(core: core).details(of: id) }
    }
}
