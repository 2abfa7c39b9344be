internal import DeviceMapper
internal import FoundationEssentials
internal import SystemPackage
internal import ThinProvisioning

/// A root that Docker's driver made: it has no `store.json`, and everything in it follows from Docker's own files.
enum DockerRoot {
    /// What a store in such a root is.
    ///
    /// - Parameters:
    ///   - directory: The root.
    ///   - options: Where the pool is, if it is not on files in the root; Docker keeps that in its options only.
    /// - Returns: `nil` when the root is none of Docker's.
    /// - Throws: ``LayerStoreError/Code/damagedMetadata``, ``LayerStoreError/Code/backingStore``.
    static func configuration(
        in directory: StoreDirectory, _ options: StorageOptions
    ) throws(LayerStoreError) -> StoreConfiguration? {
        guard let metadata = try? LayerMetadata(directory.metadata), let set = try metadata.deviceSet(),
            let base = try metadata.record(of: .base), base.isInitialized
        else { return nil }
        guard let filesystem = StorageOptions.Filesystem(rawValue: set.baseDeviceFilesystem) else {
            throw LayerStoreError(
                .damagedMetadata,
                "\(directory.metadata)/deviceset-metadata names the file system “\(set.baseDeviceFilesystem)”; "
                    + "only ext4 and xfs are known")
        }
        var configuration = StoreConfiguration(new: StorageOptions(), defaultFilesystem: filesystem)
        // The UUID of the base device's file system identifies the store as well as a number of ours would.
        configuration.storeID = set.baseDeviceUUID.filter { $0 != "-" }
        configuration.baseSize = base.size
        if options.thinPoolDevice == nil, let directLVM = try DirectLVMOptions.kept(in: directory) {
            configuration.blockSize = DirectLVMOptions.blockSize
            configuration.pool = PoolSource(directLVM: directLVM)
            return configuration
        }
        configuration.pool = PoolSource(options)
        guard options.thinPoolDevice == nil else { return configuration }
        let metadataPath = options.metadataDevice.map { FilePath($0) } ?? directory.metadataFile
        configuration.blockSize = try superblock(of: metadataPath).blockSize.bytes
        if options.dataDevice == nil {
            configuration.pool.dataFileSize = try BackingFile.size(of: directory.dataFile)
        }
        if options.metadataDevice == nil {
            configuration.pool.metadataFileSize = try BackingFile.size(of: directory.metadataFile)
        }
        return configuration
    }

    static func superblock(of file: FilePath) throws(LayerStoreError) -> ThinPoolSuperblock {
        do {
            return try ThinPoolMetadata(reading: ThinMetadataDevice(file)).superblock
        } catch {
            throw LayerStoreError(
                .backingStore,
                "cannot read the pool's metadata in \(file): \(error). If Docker kept its pool in LVM or on block devices, run "
                    + "“dmlayer init” once with Docker's options, such as --storage-opt dm.thinpooldev=…",
                underlying: error)
        }
    }
}

/// Docker's `transaction-metadata`: what it was about to do to the pool.
struct DockerTransaction: Hashable, Sendable, Codable {
    /// The transaction id that the pool has when it is done.
    var openTransactionID: UInt64
    /// The id of the layer, empty for the base device.
    var layer: String
    /// The number of the thin device.
    var deviceID: Int64

    enum CodingKeys: String, CodingKey {
        case openTransactionID = "open_transaction_id"
        case layer = "device_hash"
        case deviceID = "device_id"
    }
}
