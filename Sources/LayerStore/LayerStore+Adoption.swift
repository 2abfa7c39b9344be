public import DeviceMapper
public import SystemPackage

/// Layers of thin devices that another program made.
extension LayerStore {
    /// Reads which thin devices a pool has that another program made; nothing is changed.
    ///
    /// - Parameters:
    ///   - options: Options that name the pool (``StorageOptions/thinPoolDevice``).
    ///   - transport: How commands reach the kernel; `nil` opens the control node.
    /// - Throws: ``LayerStoreError/Code/backingStore`` when the pool is not active, or its metadata cannot be read.
    public static func content(
        ofPool options: StorageOptions, transport: (any ControlTransport)? = nil
    ) throws(LayerStoreError) -> PoolContent {
        try attempting("look into the pool \(options.thinPoolDevice ?? "")") {
            try PoolContent(of: AdoptPool.pool(options, control: KernelAccess(transport).control()))
        }
    }

    /// Makes a store of thin devices that another program made in a pool.
    ///
    /// Nothing is written to the pool: the store has no base device until ``initialize(_:options:owner:transport:removals:note:)``
    /// makes one. The caller sees to it that the other program is not at work.
    ///
    /// - Parameters:
    ///   - root: The root of the store, which is made.
    ///   - options: The options of the store. They name the pool and the file system of the layers.
    ///   - layers: The layers.
    ///   - transport: How commands reach the kernel; `nil` opens the control node.
    /// - Returns: The names of the other program's mapped devices that were removed, because the store activates its own.
    /// - Throws: ``LayerStoreError/Code/layerExists`` when the root holds a store, ``LayerStoreError/Code/busy`` when a layer is
    ///   in use, ``LayerStoreError/Code/foreignDevice`` for a mapped device on a layer that neither program made, and for a pool
    ///   that another store has taken over.
    public static func adopt(
        _ root: FilePath, options: StorageOptions, layers: [AdoptedLayer], transport: (any ControlTransport)? = nil
    ) throws(LayerStoreError) -> [String] {
        try attempting("make a store in \(root)") {
            try AdoptPool(
                root: root, options: options, layers: layers,
                open: { try StoreCore($0, $1, transport: transport, removals: .beforeReturning) }
            ).run()
        }
    }
}
