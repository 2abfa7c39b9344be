public import ThinProvisioning

/// The metadata of the store's pool.
extension LayerStore {
    /// Runs `body` with the metadata of the store's pool, which does not change meanwhile.
    ///
    /// While the pool is active, it holds a snapshot of its metadata for so long (`reserve_metadata_snap`), which takes a few
    /// commits. A pool that is not active stays so.
    ///
    /// - Throws: ``LayerStoreError/Code/busy`` when another program holds a snapshot of the metadata;
    ///   ``LayerStoreError/Code/readOnly`` for an active pool of a store that was opened for reading only.
    public func readPoolMetadata<Result>(
        _ body: (ThinPoolMetadata) throws -> Result
    ) throws(LayerStoreError) -> Result {
        try attempting("read the metadata of the pool") { try ReadPoolMetadata(core: core).run(body) }
    }

    /// The layers by the numbers of their thin devices.
    public func layersByThinDevice() throws(LayerStoreError) -> [ThinDeviceID: LayerID] {
        var found: [ThinDeviceID: LayerID] = [:]
        for case .layer(let id, let record) in try layers() { found[record.deviceID] = id }
        return found
    }

    /// How the layers use the space of the pool.
    ///
    /// - Throws: As ``readPoolMetadata(_:)``.
    public func space() throws(LayerStoreError) -> SpaceReport {
        try attempting("find out how the layers use the pool") { try SpaceReporting(core: core).run() }
    }

    /// How a layer uses the space of the pool, and which layers share its blocks.
    ///
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``, or as ``readPoolMetadata(_:)``.
    public func space(of id: LayerID) throws(LayerStoreError) -> LayerSpaceReport {
        try attempting("find out why layer \(id) is big") { try SpaceReporting(core: core).run(id) }
    }
}
