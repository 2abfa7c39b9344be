/// The source of a store's pool.
///
/// It is either a pool that was made elsewhere, or one device for data and one for metadata. Each of these is a block device,
/// or a sparse file in the root behind a loop device.
public struct PoolSource: Hashable, Sendable, Codable {
    /// `dm.thinpooldev`: the device of a pool that was made elsewhere, or by direct-lvm.
    public var poolDevice: String?
    /// The DM uuid of that pool, known once the pool was active.
    ///
    /// LVM does not change it when the volume or its group is renamed.
    var poolUUID: String?
    /// `dm.datadev`: the block device of the data; `nil` for a file.
    public var dataDevice: String?
    /// `dm.metadatadev`: the block device of the metadata; `nil` for a file.
    public var metadataDevice: String?
    /// The size of the data file in bytes.
    public var dataFileSize: UInt64?
    /// The size of the metadata file in bytes.
    public var metadataFileSize: UInt64?
    /// The options of direct-lvm with which the pool was made; `nil` for any other pool.
    public var directLVM: DirectLVMOptions?
    /// Fields that a newer version may have written.
    var unknownFields = UnknownFields()

    enum CodingKeys: String, CodingKey, CaseIterable {
        case poolDevice = "pool_device"
        case poolUUID = "pool_uuid"
        case dataDevice = "data_device"
        case metadataDevice = "metadata_device"
        case dataFileSize = "data_file_size"
        case metadataFileSize = "metadata_file_size"
        case directLVM = "direct_lvm"
    }

    /// Whether the pool was made elsewhere, so that its settings are not the store's.
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

    /// Takes over the sizes of the files, which a growth changes by itself.
    mutating func takeSizes(of other: PoolSource) {
        dataFileSize = other.dataFileSize
        metadataFileSize = other.metadataFileSize
    }

    static let directLVMPool = "/dev/mapper/docker-thinpool"

    /// The pool that direct-lvm makes of one device.
    init(directLVM: DirectLVMOptions) {
        self.directLVM = directLVM
        poolDevice = Self.directLVMPool
    }
}

extension PoolSource: KeepsUnknownFields {}
