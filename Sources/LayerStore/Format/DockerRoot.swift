internal import DeviceMapper
internal import SystemPackage
internal import ThinProvisioning

/// A root that Docker's driver made.
///
/// It has no `store.json`; its settings follow from Docker's own files.
enum DockerRoot {
    /// The settings of the store in such a root.
    ///
    /// - Parameters:
    ///   - directory: The root.
    ///   - options: The place of the pool, if it is not on files in the root. Docker has it in its options only.
    /// - Returns: `nil` when Docker did not make the root.
    /// - Throws: ``LayerStoreError/Code/damagedMetadata``, ``LayerStoreError/Code/backingStore``.
    static func configuration(
        in directory: StoreDirectory, _ options: StorageOptions
    ) throws(LayerStoreError) -> StoreConfiguration? {
        // Without the directory of metadata, Docker did not make the root.
        guard let metadata = try? LayerRegistry(directory.metadata), let set = try metadata.deviceSet(),
            let base = try metadata.record(of: .base), base.isInitialized
        else { return nil }
        guard let filesystem = StorageOptions.Filesystem(rawValue: set.baseDeviceFilesystem) else {
            throw LayerStoreError(
                .damagedMetadata,
                "\(directory.metadata)/deviceset-metadata names the file system “\(set.baseDeviceFilesystem)”; "
                    + "only ext4 and xfs are known")
        }
        var configuration = StoreConfiguration(new: StorageOptions(), defaultFilesystem: filesystem)
        // The UUID of the base device's file system identifies the store as well as a random number does.
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
            configuration.pool.dataFileSize = try PoolFile.size(of: directory.dataFile)
        }
        if options.metadataDevice == nil {
            configuration.pool.metadataFileSize = try PoolFile.size(of: directory.metadataFile)
        }
        return configuration
    }

    /// Reads the superblock of a pool's metadata.
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
