/// Docker's file `deviceset-metadata`, which is about all devices together.
struct DeviceSetRecord: Hashable, Sendable, Codable {
    /// A hint: the number after which Docker looks for a free one.
    var nextDeviceID: UInt32
    /// The UUID of the base device's file system, which shows whether the pool belongs to the metadata.
    var baseDeviceUUID: String
    /// `ext4` or `xfs`.
    var baseDeviceFilesystem: String

    enum CodingKeys: String, CodingKey {
        case nextDeviceID = "next_device_id"
        case baseDeviceUUID = "BaseDeviceUUID"
        case baseDeviceFilesystem = "BaseDeviceFilesystem"
    }
}
