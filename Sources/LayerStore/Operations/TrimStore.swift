internal import DeviceMapper
internal import Filesystems
internal import SystemPackage
internal import ThinProvisioning

/// The space that a trim has given back.
public struct TrimReport: Hashable, Sendable {
    /// The layers whose file systems were trimmed, and how many bytes each has given up.
    public internal(set) var layers: [Layer] = []
    /// How many removals were ended that had waited.
    public internal(set) var endedRemovals = 0
    /// How many removals still wait: a layer is in use, or another process is ending its removal.
    public internal(set) var waitingRemovals = 0
    /// How many bytes of the data file that the pool does not use were given back to the file system below it.
    public internal(set) var fileBytes: UInt64 = 0

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(layers: [Layer] = [], endedRemovals: Int = 0, waitingRemovals: Int = 0, fileBytes: UInt64 = 0) {
        self.layers = layers
        self.endedRemovals = endedRemovals
        self.waitingRemovals = waitingRemovals
        self.fileBytes = fileBytes
    }

    /// The space that one layer has given up.
    public struct Layer: Hashable, Sendable {
        /// The layer.
        public let id: LayerID
        /// How many bytes its file system has discarded.
        ///
        /// A block becomes free in the pool when no other layer has it.
        public let bytes: UInt64

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(id: LayerID, bytes: UInt64) {
            self.id = id
            self.bytes = bytes
        }
    }
}

/// Gives back the space that is not used: of removed layers, of files that were deleted in layers, and of the data file.
struct TrimStore {
    let core: StoreCore

    /// - Parameter layers: The layers; one that is not mounted is mounted for the time. `nil` takes those that are mounted.
    func run(_ layers: [LayerID]?) throws -> TrimReport {
        try core.requireWritable()
        var report = TrimReport()
        let before = try core.registry.unfinishedRemovals().count
        // A removal needs the pool.
        if before > 0 { try StoreSession.run(in: core) { _, _ in } }
        report.waitingRemovals = try RemoveLayer(core: core).endAll()
        report.endedRemovals = max(0, before - report.waitingRemovals)
        for id in try layers ?? mountedLayers() {
            let bytes = try StoreSession.run(in: core, locking: [id]) { session, locked in
                try trim(locked[0], in: session.pool, mounting: layers != nil)
            }
            if let bytes { report.layers.append(TrimReport.Layer(id: id, bytes: bytes)) }
        }
        if core.configuration.pool.dataFileSize != nil { report.fileBytes = try TrimDataFile(core: core).run() }
        return report
    }

    /// - Returns: `nil` for a layer that is not mounted, or not there any more, unless it must be.
    private func trim(_ layer: LockedLayer, in pool: ThinPool, mounting: Bool) throws -> UInt64? {
        guard let record = try mounting ? core.existing(layer.id) : core.registry.record(of: layer.id) else {
            return nil
        }
        guard record.content.isWritable else {
            if mounting { try record.content.requireWritable() }
            return nil
        }
        if let active = try core.devices.active(record.deviceID, of: layer),
            try core.mounts.isMounted(active, of: layer.id)
        {
            return try FilesystemTrim.trim(at: core.directory.mountPoint(of: layer.id))
        }
        guard mounting else { return nil }
        try core.service.requireNone(for: record)
        var bytes: UInt64 = 0
        try core.mounts.whileMounted(layer, record, in: pool) { bytes = try FilesystemTrim.trim(at: $0) }
        return bytes
    }

    private func mountedLayers() throws -> [LayerID] {
        try MountTable.current().entries.compactMap { entry in
            // A mount point whose name is no id is not a layer's.
            guard entry.mountPoint.removingLastComponent() == core.directory.mountPoints,
                let name = entry.mountPoint.lastComponent?.string, let id = try? LayerID(name),
                try core.registry.record(of: id) != nil
            else { return nil }
            return id
        }
    }
}
