internal import DeviceMapper
internal import LogicalVolumes
public import ThinProvisioning

extension LayerStore {
    /// The disk below the files of the pool, as a source of space for a monitor.
    ///
    /// A pool on block devices does not grow from it.
    ///
    /// - Parameter limit: The largest size of the data file in bytes; `nil` for no limit.
    /// - Throws: ``LayerStoreError`` when the pool cannot be examined.
    public func growthFromFiles(limit: UInt64? = nil) throws -> PoolGrowthSource {
        let report = try poolReport()
        let canGrow = report.data.file != nil || report.metadata.file != nil
        return PoolGrowthSource(name: try DeviceName(existing: report.name), canGrow: canGrow) { body in
            try self.withPoolTable(body)
        } extend: { need, percent in
            let report = try self.poolReport()
            let ofData = PoolFileGrowth(percent: percent, limit: limit)
            let ofMetadata = PoolFileGrowth(percent: percent, limit: nil)
            let data = need.contains(.data) ? ofData.size(of: report.data) : nil
            let metadata = need.contains(.metadata) ? ofMetadata.size(of: report.metadata) : nil
            guard data != nil || metadata != nil else { return nil }
            let growth = try self.resizePool(data: data, metadata: metadata)
            return "\(report.name) has \(ByteSize.decimal(growth.data.now - growth.data.before)) more for data and "
                + "\(ByteSize.decimal(growth.metadata.now - growth.metadata.before)) more for metadata"
        }
    }

    /// The source of space for the store's pool: its volume group, or the disk below its files.
    ///
    /// - Parameter limit: The largest size of the data file in bytes; `nil` for no limit.
    /// - Throws: ``LayerStoreError`` or `LogicalVolumeError` when the pool cannot be examined.
    public func growthSource(limit: UInt64? = nil) throws -> PoolGrowthSource {
        if let volume = try poolPath().flatMap({ ThinPoolVolume($0) }) { return try PoolGrowthSource(volume: volume) }
        return try growthFromFiles(limit: limit)
    }
}

extension PoolMonitor {
    /// Prepares to watch the pool of a store.
    ///
    /// - Parameters:
    ///   - store: The store.
    ///   - settings: When the pool is made larger, and by how much; `nil` takes the settings of the source.
    ///   - source: The source of the space; `nil` takes ``LayerStore/growthSource(limit:)``.
    ///   - observe: Receives the state of an active pool at each look, at least every ten seconds, on the thread that runs the
    ///     monitor.
    ///   - report: Receives the events, on the same thread.
    /// - Throws: ``LayerStoreError`` or `LogicalVolumeError` when the pool cannot be examined; `DeviceMapperError` when there
    ///   is no device mapper.
    public convenience init(
        for store: LayerStore, settings: PoolMonitorSettings? = nil, source: PoolGrowthSource? = nil,
        observe: @escaping @Sendable (ThinPoolState) -> Void = { _ in },
        report: @escaping @Sendable (PoolEvent) -> Void
    ) throws {
        try self.init(Control(), source ?? store.growthSource(), settings: settings, observe: observe, report: report)
    }
}
