internal import DeviceMapper
internal import LayerStore
internal import LogicalVolumes
internal import ThinProvisioning

/// What a pool is made larger from by itself.
enum PoolGrowthSource {
    /// The free extents of its volume group.
    case volume(ThinPoolVolume, AutoextendSettings)
    /// The disk under the files of a store; the data file gets no longer than the limit.
    case store(LayerStore, name: String, limit: UInt64?)

    /// The name of the pool's device.
    var name: String {
        switch self {
        case .volume(let volume, _): volume.deviceName
        case .store(_, let name, _): name
        }
    }

    /// When and by how much, if nothing else is said: Docker's figures for a pool that no profile is about.
    var settings: AutoextendSettings {
        switch self {
        case .volume(_, let settings): settings
        case .store: AutoextendSettings(threshold: 80, percent: 20)
        }
    }

    /// Makes the pool larger.
    ///
    /// - Returns: What was done, in words; `nil` when nothing is left to do it with.
    func extend(by percent: Int, _ need: PoolMonitor.Need, _ control: Control) throws -> String? {
        switch self {
        case .volume(let volume, _): try Self.extend(volume, percent, need, control)
        case .store(let store, _, let limit): try Self.extend(store, percent, need, limit)
        }
    }

    /// Runs `body` while nobody else changes the table of the pool.
    func withPoolTable(_ body: () throws -> Void) throws {
        switch self {
        case .volume(let volume, _): try volume.withPoolTable(body)
        case .store(let store, _, _): try store.withPoolTable(body)
        }
    }

    private static func extend(
        _ volume: ThinPoolVolume, _ percent: Int, _ need: PoolMonitor.Need, _ control: Control
    ) throws -> String? {
        var growth = ThinPoolGrowth(data: need.contains(.data) ? .percent(percent) : .nothing)
        if need.contains(.metadata) { growth.metadataPercent = percent }
        let result = try volume.extend(by: growth, control)
        guard result.data + result.metadata > 0 else { return nil }
        let extent = result.group.extentSize.bytes
        return "\(volume) has \(ByteSize.decimal(result.data * extent)) more for data and "
            + "\(ByteSize.decimal(result.metadata * extent)) more for metadata; "
            + "\(ByteSize.decimal(try result.group.freeExtentCount() * extent)) of the volume group are free"
    }

    private static func extend(
        _ store: LayerStore, _ percent: Int, _ need: PoolMonitor.Need, _ limit: UInt64?
    ) throws -> String? {
        let report = try store.poolReport()
        let data = need.contains(.data) ? larger(report.data, percent, limit) : nil
        let metadata = need.contains(.metadata) ? larger(report.metadata, percent, nil) : nil
        guard data != nil || metadata != nil else { return nil }
        let growth = try store.resizePool(data: data, metadata: metadata)
        return "\(report.name) has \(ByteSize.decimal(growth.data.now - growth.data.before)) more for data and "
            + "\(ByteSize.decimal(growth.metadata.now - growth.metadata.before)) more for metadata"
    }

    /// The size that a file is to get, in whole mebibytes: nothing that the disk could not hold.
    private static func larger(_ space: PoolReport.Space, _ percent: Int, _ limit: UInt64?) -> UInt64? {
        guard let file = space.file, let usage = space.usage else { return nil }
        let mebibyte: UInt64 = 1 << 20
        let wanted = file.size + max(mebibyte, file.size / 100 * UInt64(percent))
        let possible = max(file.allocated, usage.usedBytes) + file.diskFree
        let size = min(wanted, possible, limit ?? .max) / mebibyte * mebibyte
        return size > file.size ? size : nil
    }
}
