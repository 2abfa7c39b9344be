internal import FoundationEssentials
public import ThinProvisioning

/// What a store keeps about one device, the base device or a layer: the content of its metadata file.
///
/// The first five fields are Docker's, in Docker's form. Docker ignores the others, and they are missing from a file
/// that Docker wrote.
public struct LayerRecord: Hashable, Sendable {
    /// The number of the thin device in the pool.
    public var deviceID: ThinDeviceID
    /// The size in bytes.
    public var size: UInt64
    /// The pool's transaction id when the device was made.
    public var transactionID: UInt64
    /// Whether the base device has its file system; always false for a layer.
    public var isInitialized: Bool
    /// Whether the layer has been removed and its thin device not yet.
    public var isDeleted: Bool
    /// What the layer was made from; `nil` in a file that Docker wrote.
    public var parent: String?
    /// When the layer was made, in seconds since 1970; `nil` in a file that Docker wrote.
    public var created: Int64?
    /// What containerd knows the layer as; `nil` for a layer that was not made for it.
    public var snapshot: SnapshotRecord?
}

extension LayerRecord: Codable {
    enum CodingKeys: String, CodingKey {
        case deviceID = "device_id"
        case size
        case transactionID = "transaction_id"
        case isInitialized = "initialized"
        case isDeleted = "deleted"
        case parent
        case created
        case snapshot
    }

    /// Reads a metadata file; Docker's fields must all be there.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let number = try fields.decode(Int64.self, forKey: .deviceID)
        guard let id = ThinDeviceID(number) else {
            throw DecodingError.dataCorruptedError(
                forKey: .deviceID, in: fields, debugDescription: "device_id \(number) is not within 0 to 16777215")
        }
        deviceID = id
        size = try fields.decode(UInt64.self, forKey: .size)
        transactionID = try fields.decode(UInt64.self, forKey: .transactionID)
        isInitialized = try fields.decode(Bool.self, forKey: .isInitialized)
        isDeleted = try fields.decodeIfPresent(Bool.self, forKey: .isDeleted) ?? false
        parent = try fields.decodeIfPresent(String.self, forKey: .parent)
        created = try fields.decodeIfPresent(Int64.self, forKey: .created)
        snapshot = try fields.decodeIfPresent(SnapshotRecord.self, forKey: .snapshot)
    }

    /// Writes a metadata file.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(deviceID.value, forKey: .deviceID)
        try fields.encode(size, forKey: .size)
        try fields.encode(transactionID, forKey: .transactionID)
        try fields.encode(isInitialized, forKey: .isInitialized)
        try fields.encode(isDeleted, forKey: .isDeleted)
        try fields.encodeIfPresent(parent, forKey: .parent)
        try fields.encodeIfPresent(created, forKey: .created)
        try fields.encodeIfPresent(snapshot, forKey: .snapshot)
    }
}

/// Docker's `deviceset-metadata`: what concerns all devices.
struct DeviceSetRecord: Hashable, Sendable, Codable {
    /// A hint: behind which number the next free one may be found.
    var nextDeviceID: UInt32
    /// The UUID of the base device's file system, which tells whether the pool is the one that the metadata is about.
    var baseDeviceUUID: String
    /// `ext4` or `xfs`.
    var baseDeviceFilesystem: String

    enum CodingKeys: String, CodingKey {
        case nextDeviceID = "next_device_id"
        case baseDeviceUUID = "BaseDeviceUUID"
        case baseDeviceFilesystem = "BaseDeviceFilesystem"
    }
}
