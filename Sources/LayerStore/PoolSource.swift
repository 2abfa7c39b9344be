/// What the pool of a store is made of.
///
/// Either a pool that somebody else made and keeps, or a device for the data and one for the metadata, each a block device
/// or a sparse file of the store's own behind a loop device.
public struct PoolSource: Hashable, Sendable, Codable {
    /// `dm.thinpooldev`: the pool that somebody else made.
    public var poolDevice: String?
    /// The DM uuid of that pool, once it was seen: LVM's stays the same when the volume or its group is renamed.
    var poolUUID: String?
    /// `dm.datadev`: the block device of the data; without it a file.
    public var dataDevice: String?
    /// `dm.metadatadev`: the block device of the metadata; without it a file.
    public var metadataDevice: String?
    /// The size of the data file in bytes.
    public var dataFileSize: UInt64?
    /// The size of the metadata file in bytes.
    public var metadataFileSize: UInt64?

    /// `dm.directlvm_device` and what belongs to it, when the pool was made of them.
    public var directLVM: DirectLVMOptions?

    enum CodingKeys: String, CodingKey {
        case poolDevice = "pool_device"
        case poolUUID = "pool_uuid"
        case dataDevice = "data_device"
        case metadataDevice = "metadata_device"
        case dataFileSize = "data_file_size"
        case metadataFileSize = "metadata_file_size"
        case directLVM = "direct_lvm"
    }

    /// Whether somebody else made the pool, who alone decides what it does.
    var isMadeElsewhere: Bool { poolDevice != nil && directLVM == nil }

    /// Completes `options` with Docker's defaults.
    init(_ options: StorageOptions) {
        directLVM = DirectLVMOptions(options)
        poolDevice = directLVM == nil ? options.thinPoolDevice : Self.directLVMPool
        guard poolDevice == nil else { return }
        dataDevice = options.dataDevice
        metadataDevice = options.metadataDevice
        if dataDevice == nil { dataFileSize = options.loopDataSize ?? 100 << 30 }
        if metadataDevice == nil { metadataFileSize = options.loopMetadataSize ?? 2 << 30 }
    }

    static let directLVMPool = "/dev/mapper/docker-thinpool"

    /// The pool that Docker made of one device.
    init(directLVM: DirectLVMOptions) {
        self.directLVM = directLVM
        poolDevice = Self.directLVMPool
    }
}
