/// A layer whose thin device another program made in a pool.
public struct AdoptedLayer: Hashable, Sendable {
    /// The id of the layer.
    public let id: LayerID
    /// The metadata of the layer; its transaction id is the pool's.
    public let record: LayerRecord
    /// The name that the other program gives the layer's mapped device.
    public let formerDevice: String

    /// Makes a layer.
    public init(id: LayerID, record: LayerRecord, formerDevice: String) {
        self.id = id
        self.record = record
        self.formerDevice = formerDevice
    }
}
