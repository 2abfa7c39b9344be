public import LayerStore
public import SystemPackage
internal import SystemCalls

/// The snapshots of containerd's own devmapper snapshotter, on their way into a store.
///
/// While this object lives, containerd cannot open its two databases, and nothing is ever written to them.
public final class DevmapperAdoption {
    /// How the snapshots become layers.
    public let plan: AdoptionPlan
    /// The thin devices of the pool.
    public let pool: PoolContent
    private let options: StorageOptions
    private let databases: [BoltDatabase]

    /// The folder of the snapshotter where its configuration names none (`root_path`).
    public static let usualFolder: FilePath = "/var/lib/containerd/io.containerd.snapshotter.v1.devmapper"

    /// Reads the databases of the snapshotter, and the pool.
    ///
    /// - Parameters:
    ///   - folder: The folder of the databases (`root_path`).
    ///   - poolName: The name of the pool (`pool_name`), or its path in `/dev/mapper`.
    ///   - options: The options of the store to be made.
    /// - Throws: ``LayerStoreError/Code/busy`` while containerd runs, ``LayerStoreError/Code/damagedMetadata``,
    ///   ``LayerStoreError/Code/backingStore`` when the pool is not active,
    ///   ``LayerStoreError/Code/optionsContradict``.
    public init(from folder: FilePath, pool poolName: String, options: StorageOptions) throws(LayerStoreError) {
        let prefix = "/dev/mapper/"
        let name = poolName.hasPrefix(prefix) ? String(poolName.dropFirst(prefix.count)) : poolName
        var options = options
        guard options.thinPoolDevice == nil || options.thinPoolDevice == prefix + name else {
            throw LayerStoreError(
                .optionsContradict,
                "dm.thinpooldev=\(options.thinPoolDevice ?? "") was given, and the pool is \(prefix)\(name); leave the option out"
            )
        }
        guard options.directLVMDevice == nil, options.dataDevice == nil, options.metadataDevice == nil else {
            throw LayerStoreError(
                .optionsContradict,
                "the pool is \(prefix)\(name); leave out dm.directlvm_device, dm.datadev and dm.metadatadev, which name another"
            )
        }
        options.thinPoolDevice = prefix + name
        let (metadata, devices) = (folder.appending("metadata.db"), folder.appending("\(name).db"))
        databases = [try BoltDatabase(metadata), try Self.poolDatabase(devices)]
        let known = DevmapperRecords(
            snapshots: try Self.understood(metadata, databases[0], DevmapperRecords.snapshots),
            devices: try Self.understood(devices, databases[1], DevmapperRecords.devices))
        pool = try LayerStore.content(ofPool: options)
        plan = AdoptionPlan(known, pool: name, thinDevices: pool.thinDevices)
        self.options = try Self.completed(options, plan)
    }

    /// Reads records out of a database.
    private static func understood<Records>(
        _ path: FilePath, _ database: BoltDatabase, _ read: (BoltBucket) throws(BoltError) -> Records
    ) throws(LayerStoreError) -> Records {
        do {
            return try read(database.content.root)
        } catch {
            throw BoltDatabase.damage(path, error)
        }
    }

    /// Opens the database of the pool, whose name is the pool's.
    private static func poolDatabase(_ path: FilePath) throws(LayerStoreError) -> BoltDatabase {
        do {
            return try BoltDatabase(path)
        } catch {
            guard error.underlying as? Errno == .noSuchFileOrDirectory else { throw error }
            throw LayerStoreError(
                .failed,
                "there is no \(path): the snapshotter has no pool of this name in its folder. “pool_name” and “root_path” in "
                    + "containerd's configuration say which are right", underlying: error)
        }
    }

    /// Completes the options by what the snapshots have.
    private static func completed(
        _ given: StorageOptions, _ plan: AdoptionPlan
    ) throws(LayerStoreError) -> StorageOptions {
        var options = given
        if let filesystem = given.filesystem, filesystem != plan.filesystem, !plan.layers.isEmpty {
            throw LayerStoreError(
                .optionsContradict,
                "dm.fs=\(filesystem.rawValue) was given, and the snapshots have \(plan.filesystem.rawValue); leave the option out"
            )
        }
        options.filesystem = plan.filesystem
        options.baseSize = given.baseSize ?? plan.baseSize
        return options
    }

    /// The mapped devices of the snapshotter that have to go, because the store activates its own.
    public var formerDevices: [PoolContent.ActiveDevice] {
        let taken = Set(plan.layers.map(\.record.deviceID))
        return pool.active.filter { taken.contains($0.thinDevice) }
    }

    /// Makes the store.
    ///
    /// - Parameter root: The root of the store.
    /// - Returns: The names of the snapshotter's mapped devices that were removed.
    /// - Throws: The errors of `LayerStore.adopt`.
    public func carryOut(in root: FilePath) throws(LayerStoreError) -> [String] {
        try LayerStore.adopt(root, options: options, layers: plan.layers)
    }
}
