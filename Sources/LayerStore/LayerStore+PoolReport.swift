internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage
internal import ThinProvisioning

extension LayerStore {
    /// The state of the pool, and what to do about it.
    ///
    /// A pool that is not active is activated; that the kernel refuses this is a part of the report. Nothing is
    /// committed.
    public func poolReport() throws(LayerStoreError) -> PoolReport {
        try attempting("ask for the state of the pool") {
            let pool: ThinPool
            do {
                pool = try activePool() ?? withPool(layers: []) { pool, _ in pool }
            } catch let error as LayerStoreError {
                guard let refusal = error.underlying as? DeviceMapperError, refusal.command == .loadTable else {
                    throw error
                }
                return try report(refusal)
            }
            return try report(on: pool)
        }
    }

    /// The state of a pool that is active.
    func report(on pool: ThinPool) throws -> PoolReport {
        let target = try pool.target().target
        var state: ThinPoolState?
        if case .available(let available) = try pool.status() { state = available }
        return try report(pool, target, state, state?.mode.condition ?? .failed)
    }

    private func report(
        _ pool: ThinPool, _ target: ThinPoolTarget, _ state: ThinPoolState?, _ condition: PoolReport.Condition
    ) throws -> PoolReport {
        let lost = try lostFiles(of: pool)
        return PoolReport(
            root: root, name: pool.name.description, device: try DeviceNode.path(of: pool.number).string,
            isForeign: configuration.pool.poolDevice != nil, isMadeElsewhere: configuration.pool.isMadeElsewhere,
            condition: condition, refusal: nil,
            isSuspended: try pool.control.information(on: .number(pool.number)).isSuspended,
            needsCheck: state?.needsCheck ?? superblock?.needsCheck ?? false,
            isReadOnlyByRequest: target.features.contains(.readOnly), blockSize: pool.blockSize.bytes,
            data: PoolReport.Space(
                device: try Self.path(of: target.dataDevice), usage: state?.data,
                file: lost.contains { $0.path == directory.dataFile } ? nil : try dataFileSpace()),
            metadata: PoolReport.Space(
                device: try Self.path(of: target.metadataDevice), usage: state?.metadata,
                file: lost.contains { $0.path == directory.metadataFile } ? nil : try metadataFileSpace()),
            lowWaterMark: target.lowWaterMark * pool.blockSize.bytes,
            minimumFreeSpacePercent: configuration.minimumFreeSpacePercent,
            failsWhenFull: target.features.contains(.errorIfNoSpace),
            zeroesNewBlocks: !target.features.contains(.skipBlockZeroing), noSpaceTimeout: Self.noSpaceTimeout,
            discards: state?.discards,
            isPassdownWanted: target.features.isDisjoint(with: [.noDiscardPassdown, .ignoreDiscard]),
            lostFiles: lost,
            deviceCount: try metadata.records().count, snapshotCount: superblock?.time)
    }

    private func report(_ refusal: DeviceMapperError) throws -> PoolReport {
        PoolReport(
            root: root, name: try directory.poolName().description, device: nil, isForeign: false,
            isMadeElsewhere: false, condition: .inactive, refusal: refusal.description, isSuspended: false,
            needsCheck: superblock?.needsCheck ?? false, isReadOnlyByRequest: false,
            blockSize: configuration.blockSize,
            data: PoolReport.Space(device: configuration.pool.dataDevice, usage: nil, file: try dataFileSpace()),
            metadata: PoolReport.Space(
                device: configuration.pool.metadataDevice, usage: nil, file: try metadataFileSpace()),
            lowWaterMark: nil, minimumFreeSpacePercent: configuration.minimumFreeSpacePercent,
            failsWhenFull: configuration.failsWhenFull ?? false,
            zeroesNewBlocks: configuration.zeroesNewBlocks ?? false, noSpaceTimeout: Self.noSpaceTimeout, discards: nil,
            isPassdownWanted: true, lostFiles: [], deviceCount: try metadata.records().count,
            snapshotCount: superblock?.time)
    }

    /// The space of the data file, if there is one.
    func dataFileSpace() throws(LayerStoreError) -> FileSpace? {
        configuration.pool.dataFileSize == nil ? nil : try FileSpace(of: directory.dataFile)
    }

    /// The space of the metadata file, if there is one.
    func metadataFileSpace() throws(LayerStoreError) -> FileSpace? {
        configuration.pool.metadataFileSize == nil ? nil : try FileSpace(of: directory.metadataFile)
    }

    /// What stands in the metadata file.
    ///
    /// A device is not read: its page cache could be older than what the pool has written.
    private var superblock: ThinPoolSuperblock? {
        configuration.pool.metadataFileSize == nil ? nil : try? DockerRoot.superblock(of: directory.metadataFile)
    }

    /// A parameter of the kernel's module, the same for all pools.
    private static var noSpaceTimeout: UInt64? {
        (try? PseudoFile.readLine("/sys/module/dm_thin_pool/parameters/no_space_timeout")).flatMap { UInt64($0) }
    }
}
