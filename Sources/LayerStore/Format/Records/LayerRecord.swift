internal import FoundationEssentials
public import ThinProvisioning

/// The metadata file of one device, which is the base device or a layer.
///
/// The first five fields are Docker's, in Docker's form. Docker ignores all other fields and does not write them.
public struct LayerRecord: Hashable, Sendable {
    /// The number of the thin device in the pool.
    public var deviceID: ThinDeviceID
    /// The size in bytes.
    public var size: UInt64
    /// The transaction id that the pool had when the device was made.
    public var transactionID: UInt64
    /// Whether the base device has its file system; always false for a layer.
    public var isInitialized: Bool
    /// Whether the layer is removed, but its thin device is not yet.
    public var isDeleted: Bool
    /// The id of the layer from which this one was made; `nil` in a file that Docker wrote.
    public var parent: String?
    /// The time at which the layer was made, in seconds since 1970; `nil` in a file that Docker wrote.
    public var created: Int64?
    /// The snapshot of containerd that the layer is; `nil` for a layer that was not made for containerd.
    public var snapshot: SnapshotRecord?
    /// Fields that a newer version may have written.
    var unknownFields = UnknownFields()

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        deviceID: ThinDeviceID, size: UInt64, transactionID: UInt64, isInitialized: Bool = false,
        isDeleted: Bool = false, parent: String? = nil, created: Int64? = nil, snapshot: SnapshotRecord? = nil
    ) {
        self.deviceID = deviceID
        self.size = size
        self.transactionID = transactionID
        self.isInitialized = isInitialized
        self.isDeleted = isDeleted
        self.parent = parent
        self.created = created
        self.snapshot = snapshot
    }
}

extension LayerRecord: Codable {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case format
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
        // Asked first: in a newer format, any other field may have another type.
        _ = try fields.decodeIfPresent(FormatNumber.self, forKey: .format)
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
        snapshot = try fields.decodeIfPresent(WithUnknownFields<SnapshotRecord>.self, forKey: .snapshot)?.value
        unknownFields = try UnknownFields(from: decoder, besides: CodingKeys.self)
    }

    /// Writes a metadata file.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(FormatNumber(), forKey: .format)
        try fields.encode(deviceID.value, forKey: .deviceID)
        try fields.encode(size, forKey: .size)
        try fields.encode(transactionID, forKey: .transactionID)
        try fields.encode(isInitialized, forKey: .isInitialized)
        try fields.encode(isDeleted, forKey: .isDeleted)
        try fields.encodeIfPresent(parent, forKey: .parent)
        try fields.encodeIfPresent(created, forKey: .created)
        try fields.encodeIfPresent(snapshot.map { WithUnknownFields($0) }, forKey: .snapshot)
        try unknownFields.encode(to: encoder)
    }
}
