internal import DeviceMapper
internal import FoundationEssentials
internal import SystemPackage
internal import ThinProvisioning

/// A root that Docker's driver made: it has no `store.json`, and everything in it follows from Docker's own files.
enum DockerRoot {
    /// What a store in such a root is.
    ///
    /// - Returns: `nil` when the root is none of Docker's.
    /// - Throws: ``LayerStoreError/Code/damagedMetadata``, ``LayerStoreError/Code/backingStore``.
    static func configuration(in directory: StoreDirectory) throws(LayerStoreError) -> StoreConfiguration? {
        guard let metadata = try? LayerMetadata(directory.metadata), let set = try metadata.deviceSet(),
            let base = try metadata.record(of: .base), base.isInitialized
        else { return nil }
        guard let filesystem = StorageOptions.Filesystem(rawValue: set.baseDeviceFilesystem) else {
            throw LayerStoreError(
                .damagedMetadata,
                "\(directory.metadata)/deviceset-metadata names the file system “\(set.baseDeviceFilesystem)”; "
                    + "only ext4 and xfs are known")
        }
        let superblock = try superblock(of: directory.metadataFile)
        var configuration = StoreConfiguration(new: StorageOptions(), defaultFilesystem: filesystem)
        // The UUID of the base device's file system identifies the store as well as a number of ours would.
        configuration.storeID = set.baseDeviceUUID.filter { $0 != "-" }
        configuration.blockSize = superblock.blockSize.bytes
        configuration.baseSize = base.size
        configuration.pool = PoolSource(
            dataFileSize: try BackingFile.size(of: directory.dataFile),
            metadataFileSize: try BackingFile.size(of: directory.metadataFile))
        return configuration
    }

    private static func superblock(of file: FilePath) throws(LayerStoreError) -> ThinPoolSuperblock {
        do {
            let descriptor = try FileDescriptor.open(file, .readOnly, options: .closeOnExec)
            return try descriptor.closeAfter {
                var bytes = [UInt8](repeating: 0, count: ThinPoolSuperblock.size)
                let count = try unsafe bytes.withUnsafeMutableBytes {
                    unsafe try descriptor.read(fromAbsoluteOffset: 0, into: $0)
                }
                return try ThinPoolSuperblock(Array(bytes[..<count]))
            }
        } catch {
            throw LayerStoreError(
                .backingStore,
                "cannot read the pool's metadata in \(file): \(error). If Docker kept its pool in LVM, name it at “init” "
                    + "with --storage-opt dm.thinpooldev=…", underlying: error)
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
