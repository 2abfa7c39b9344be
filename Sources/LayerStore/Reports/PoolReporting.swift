internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage
internal import ThinProvisioning

/// Finds out the state of a pool.
struct PoolReporting {
    let core: StoreCore

    private var configuration: StoreConfiguration { core.configuration }
    private var directory: StoreDirectory { core.directory }
    private var backing: PoolBacking { core.pool.backing }

    /// The state of the pool, and what to do about it.
    ///
    /// That the kernel refuses to activate the pool is a part of the report.
    func run(activating: Bool = true) throws -> PoolReport {
        core.resumeAbandoned()
        guard activating else { return try core.readingPoolIfActive(report) ?? report(inactiveBecause: nil) }
        do {
            return try core.readingPool(report)
        } catch let error as LayerStoreError {
            guard let refusal = error.underlying as? DeviceMapperError, refusal.command == .loadTable else {
                throw error
            }
            return try report(inactiveBecause: refusal)
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
        let lost = try backing.lostFiles(of: pool)
        return PoolReport(
            root: directory.root, name: pool.name.description, device: try DeviceNode.path(of: pool.number).string,
            isForeign: core.pool.named != nil, isMadeElsewhere: configuration.pool.isMadeElsewhere,
            condition: condition, refusal: nil,
            isSuspended: try pool.control.information(on: .number(pool.number)).isSuspended
                && core.isLeftSuspended(.number(pool.number)),
            needsCheck: state?.needsCheck ?? superblock?.needsCheck ?? false,
            isReadOnlyByRequest: target.features.contains(.readOnly), blockSize: pool.blockSize.bytes,
            data: PoolReport.Space(
                device: try DeviceNode.path(of: target.dataDevice), usage: state?.data,
                file: lost.contains { $0.path == directory.dataFile } ? nil : try backing.dataSpace()),
            metadata: PoolReport.Space(
                device: try DeviceNode.path(of: target.metadataDevice), usage: state?.metadata,
                file: lost.contains { $0.path == directory.metadataFile } ? nil : try backing.metadataSpace()),
            lowWaterMark: target.lowWaterMark * pool.blockSize.bytes,
            minimumFreeSpacePercent: configuration.minimumFreeSpacePercent,
            errorIfNoSpace: target.features.contains(.errorIfNoSpace),
            // The kernel lets writes fail from the timeout on, without a change of the table.
            hasTimedOut: state?.mode == .outOfDataSpace && state?.errorIfNoSpace == true
                && !target.features.contains(.errorIfNoSpace),
            zeroesNewBlocks: !target.features.contains(.skipBlockZeroing),
            noSpaceTimeout: NoSpaceTimeout.current.seconds,
            discards: state?.discards,
            isPassdownWanted: target.features.isDisjoint(with: [.noDiscardPassdown, .ignoreDiscard]),
            lostFiles: lost,
            deviceCount: try core.registry.records().count, snapshotCount: superblock?.time)
    }

    private func report(inactiveBecause refusal: DeviceMapperError?) throws -> PoolReport {
        let named = core.pool.named.flatMap { FilePath($0.path).lastComponent?.string }
        return PoolReport(
            root: directory.root, name: try named ?? core.identity.poolName().description, device: nil,
            isForeign: named != nil, isMadeElsewhere: configuration.pool.isMadeElsewhere, condition: .inactive,
            refusal: refusal?.description, isSuspended: false,
            needsCheck: superblock?.needsCheck ?? false, isReadOnlyByRequest: false,
            blockSize: configuration.blockSize,
            data: PoolReport.Space(device: configuration.pool.dataDevice, usage: nil, file: try backing.dataSpace()),
            metadata: PoolReport.Space(
                device: configuration.pool.metadataDevice, usage: nil, file: try backing.metadataSpace()),
            lowWaterMark: nil, minimumFreeSpacePercent: configuration.minimumFreeSpacePercent,
            errorIfNoSpace: configuration.errorIfNoSpace ?? false,
            zeroesNewBlocks: configuration.zeroesNewBlocks ?? false, noSpaceTimeout: NoSpaceTimeout.current.seconds,
            discards: nil,
            isPassdownWanted: true, lostFiles: [], deviceCount: try core.registry.records().count,
            snapshotCount: superblock?.time)
    }

    /// The superblock in the metadata file.
    ///
    /// A device is not read: its page cache could be older than what the pool has written.
    private var superblock: ThinPoolSuperblock? {
        // Metadata that cannot be read says nothing here; a check reports it.
        configuration.pool.metadataFileSize == nil ? nil : try? DockerRoot.superblock(of: directory.metadataFile)
    }

    // MARK: Figures

    /// The figures of the pool as it is: nothing is activated, written or committed, and no layer's file is read.
    func metrics() throws -> PoolMetrics {
        guard let metrics = try core.readingPoolIfActive(metrics) else {
            let named = core.pool.named.flatMap { FilePath($0.path).lastComponent?.string }
            return PoolMetrics(
                pool: try named ?? core.identity.poolName().description, condition: .inactive, state: nil)
        }
        return metrics
    }

    private func metrics(of pool: ThinPool) throws -> PoolMetrics {
        guard case .available(let state) = try pool.status() else {
            return PoolMetrics(pool: pool.name.description, condition: .failed, state: nil)
        }
        return PoolMetrics(pool: pool.name.description, condition: state.mode.condition, state: state)
    }
}
