public import DeviceMapper
public import SystemPackage

/// The pool and the store as a whole.
extension LayerStore {
    /// The state of the store.
    ///
    /// It takes no lock where the pool is active, and commits nothing.
    public func status() throws(LayerStoreError) -> StoreStatus {
        try attempting("ask for the state of the store") { try StatusReporting(core: core).run() }
    }

    /// The state of the pool, and what to do about it.
    ///
    /// That the kernel refuses to activate the pool is a part of the report. Nothing is committed.
    ///
    /// - Parameter activating: Whether a pool that is not active is activated; the report says less about it otherwise.
    public func poolReport(activating: Bool = true) throws(LayerStoreError) -> PoolReport {
        try attempting("ask for the state of the pool") { try PoolReporting(core: core).run(activating: activating) }
    }

    /// The figures of the pool as it is: nothing is activated, written or committed, and no layer's file is read.
    ///
    /// - Throws: ``LayerStoreError/Code/foreignDevice`` when a pool of the store's name belongs to somebody else.
    public func poolMetrics() throws(LayerStoreError) -> PoolMetrics {
        try attempting("ask for the state of the pool") { try PoolReporting(core: core).metrics() }
    }

    /// How many commits the pool was told to make through this object: one for each layer that was made or deleted.
    ///
    /// The pool makes more of its own, for file systems that flush what they have written, for example.
    public var orderedCommits: UInt64 { core.kernel.commits.value }

    /// The path of the pool where the store does not make it from its own files or devices: the path that it has now.
    ///
    /// - Returns: `nil` when the store makes its pool.
    public func poolPath() throws(LayerStoreError) -> String? {
        try attempting("look for the pool") { try core.pool.path() }
    }

    /// Whether the pool is active now.
    public func isPoolActive() throws(LayerStoreError) -> Bool {
        try attempting("look for the pool") { try core.pool.active() != nil }
    }

    /// Makes the pool larger while its layers are mounted and written.
    ///
    /// Files are enlarged durably, and the store remembers their new size, before the pool is told. So a growth that was
    /// interrupted is completed by calling this again, or by the next activation of the pool. The pool is never left
    /// suspended.
    ///
    /// - Parameters:
    ///   - data: The new size of the data file in bytes; `nil` keeps the file. If the file, or the block device that
    ///     the pool has instead, is larger than the pool already, the pool grows to its size in both cases.
    ///   - metadata: The same for the metadata.
    /// - Throws: ``LayerStoreError/Code/sizeTooSmall`` for less than there is, ``LayerStoreError/Code/invalidOption``
    ///   where there is no file of the store's own, ``LayerStoreError/Code/failed`` when the pool takes no changes, or
    ///   the kernel's error.
    @discardableResult
    public func resizePool(data: UInt64? = nil, metadata: UInt64? = nil) throws(LayerStoreError) -> PoolGrowth {
        try attempting("resize the pool") { try ResizePool(core: core).run(data: data, metadata: metadata) }
    }

    /// Runs `body` while nothing else changes the table of the pool or of an active layer, which the kernel does not
    /// bear at the same time.
    ///
    /// `body` may suspend the pool.
    ///
    /// A pool of LVM's is protected from lvm2 as well.
    ///
    /// - Throws: The errors of `body`; `LogicalVolumeError` when the lock of the volume group cannot be taken.
    public func withPoolTable(_ body: () throws -> Void) throws {
        try core.changingTables(core.openLocks()) { _ in try body() }
    }

    /// Gives back the space that is not used: of removed layers, of files that were deleted in layers, and of the data file
    /// where the pool does not use it.
    ///
    /// For the last of these the pool stops for a moment at a time.
    ///
    /// - Parameter layers: The layers; one that is not mounted is mounted for the time. `nil` takes those that are
    ///   mounted: mounting the others would write to each.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``, or the file system's error.
    public func trim(_ layers: [LayerID]? = nil) throws(LayerStoreError) -> TrimReport {
        try attempting("trim the store") { try TrimStore(core: core).run(layers) }
    }

    /// Unmounts every layer, ends the removals that wait, and removes the pool's device; the files stay.
    ///
    /// - Parameter losingFiles: Whether the pool is taken down as well where it has the last copy of a file that was deleted or
    ///   replaced; the content is gone then.
    /// - Throws: ``LayerStoreError/Code/busy`` with the users of a layer; the other layers are down then, and the pool is not.
    ///   ``LayerStoreError/Code/backingStore`` where the pool has the last copy of a file.
    public func shutdown(losingFiles: Bool = false) throws(LayerStoreError) {
        try attempting("shut the store down") { try ShutDown(core: core).run(losingFiles: losingFiles) }
    }

    /// How many layers have been removed whose data is not free yet, because its turn has not come or the layer is in use.
    public func waitingRemovals() throws(LayerStoreError) -> Int { try core.registry.unfinishedRemovalCount() }

    /// Why the last attempt to free the data of removed layers failed; `nil` when it did not.
    ///
    /// It is tried again.
    public var removalFailure: String? { core.removals.failure }

    /// Has a removal in the background that begins to fail reported, once for each reason.
    ///
    /// - Parameter note: Gets the reason, on the thread of the removals.
    public func noteRemovalFailures(_ note: @escaping @Sendable (String) -> Void) { core.removals.noteFailures(note) }

    /// Compares everything that a store consists of: its files, its pool, and the files or devices below the pool.
    ///
    /// Nothing is changed: no pool is activated or has to commit anything, no lock is taken. The pool's metadata is read
    /// from its device, whether the pool is active or not. Work that other processes have under way is not
    /// reported as a disagreement.
    ///
    /// - Parameters:
    ///   - root: The root of the store, whose `store.json` may be damaged.
    ///   - options: Options, which must not contradict the configuration of the store.
    ///   - transport: How commands reach the kernel; `nil` opens the control node when it is needed.
    /// - Throws: ``LayerStoreError/Code/notInitialized`` when there is no store, ``LayerStoreError/Code/optionsContradict``.
    public static func check(
        _ root: FilePath, options: StorageOptions = StorageOptions(), transport: (any ControlTransport)? = nil
    ) throws(LayerStoreError) -> StoreReport {
        try attempting("check the store \(root)") { try StoreCheck.report(on: root, options, transport) }
    }

    /// Makes the repairs that need no guessing, and checks again.
    ///
    /// It mends the remains of interrupted operations, thin devices that no layer has, and a missing
    /// `deviceset-metadata`. Thin devices are deleted only if the pool is the store's own, every metadata file was
    /// understood, and the base device is the one that the files are about.
    ///
    /// The pool is activated for it; where it was not active before, it is taken down again.
    ///
    /// - Parameters:
    ///   - root: The root of the store.
    ///   - options: Options, which must not contradict the configuration of the store.
    ///   - orders: The changes that somebody has decided on.
    ///   - transport: How commands reach the kernel; `nil` opens the control node.
    /// - Returns: The findings that remain, those that were mended, and the changes that could not be made.
    /// - Throws: ``LayerStoreError/Code/notInitialized`` when there is no store.
    public static func repair(
        _ root: FilePath, options: StorageOptions = StorageOptions(), orders: StoreRepairOrders = StoreRepairOrders(),
        transport: (any ControlTransport)? = nil
    ) throws(LayerStoreError) -> StoreReport {
        try attempting("repair the store \(root)") { try RepairStore.run(root, options, orders, transport) }
    }
}
