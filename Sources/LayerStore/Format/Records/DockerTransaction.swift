/// Docker's file `transaction-metadata`: the change of the pool that Docker had begun.
struct DockerTransaction: Hashable, Sendable, Codable {
    /// The transaction id that the pool has after the change.
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
