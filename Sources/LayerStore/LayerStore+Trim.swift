internal import DeviceMapper
internal import Filesystems
internal import SystemPackage
internal import ThinProvisioning

/// What a trim has given back.
public struct TrimReport: Hashable, Sendable {
    /// The layers whose file systems were trimmed, and how many bytes each has given up.
    public internal(set) var layers: [Layer] = []
    /// How many removals were ended that had waited.
    public internal(set) var endedRemovals = 0
    /// How many removals still wait for somebody who uses the layer, or are being ended by somebody else.
    public internal(set) var waitingRemovals = 0
    /// How many bytes of the data file were given back to the file system below it that the pool does not use.
    public internal(set) var fileBytes: UInt64 = 0

    /// What one layer has given up.
    public struct Layer: Hashable, Sendable {
        /// The layer.
        public let id: LayerID
        /// How many bytes its file system has discarded.
        ///
        /// A block becomes free in the pool when no other layer has it.
        public let bytes: UInt64
    }
}

extension LayerStore {
    /// Gives back the space that is not used: of removed layers, of files that were deleted in layers, and of the data file
    /// where the pool does not use it.
    ///
    /// For the last of these the pool stops for a moment at a time.
    ///
    /// - Parameter layers: The layers; one that is not mounted is mounted for the time. `nil` takes those that are
    ///   mounted: mounting the others would write to each.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``, or what the file system says.
    public func trim(_ layers: [LayerID]? = nil) throws(LayerStoreError) -> TrimReport {
        try attempting("trim the store") {
            try requireWritable()
            var report = TrimReport()
            let before = try metadata.unfinishedRemovals().count
            if before > 0 { try withPool(layers: []) { _, _ in } }
            report.waitingRemovals = try endRemovals()
            report.endedRemovals = max(0, before - report.waitingRemovals)
            for id in try layers ?? mountedLayers() {
                let bytes = try withPool(layers: [id]) { pool, _ in try trim(id, in: pool, mounting: layers != nil) }
                if let bytes { report.layers.append(TrimReport.Layer(id: id, bytes: bytes)) }
            }
            if configuration.pool.dataFileSize != nil { report.fileBytes = try trimDataFile() }
            return report
        }
    }

    /// - Returns: `nil` for a layer that is not mounted, or not there any more, unless it must be.
    private func trim(_ id: LayerID, in pool: ThinPool, mounting: Bool) throws -> UInt64? {
        guard let record = try mounting ? existing(id) : metadata.record(of: id) else { return nil }
        guard record.content.isWritable else {
            if mounting { try record.content.requireWritable() }
            return nil
        }
        let mountPoint = directory.mountPoint(of: id)
        if let active = try device(of: record.deviceID, pool.control),
            try isMounted(active.number, at: mountPoint)
        {
            return try FilesystemTrim.trim(at: mountPoint)
        }
        guard mounting else { return nil }
        try requireNoService(for: record)
        var bytes: UInt64 = 0
        try whileMounted(id, record, in: pool) { bytes = try FilesystemTrim.trim(at: $0) }
        return bytes
    }

    private func mountedLayers() throws -> [LayerID] {
        try MountTable.current().entries.compactMap { entry in
            guard entry.mountPoint.removingLastComponent() == directory.mountPoints,
                let name = entry.mountPoint.lastComponent?.string, let id = try? LayerID(name),
                try metadata.record(of: id) != nil
            else { return nil }
            return id
        }
    }
}
