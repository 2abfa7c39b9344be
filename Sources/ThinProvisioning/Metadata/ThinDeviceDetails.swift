/// The entry of a thin device in a pool's metadata.
public struct ThinDeviceDetails: Hashable, Sendable {
    /// The number of the device.
    public let id: ThinDeviceID
    /// How many blocks of the pool it refers to, those included that it shares with other devices.
    ///
    /// For a device that is in use this is what it was when the pool last committed.
    public let mappedBlocks: UInt64
    /// The pool's transaction id when the device was made.
    public let transactionID: UInt64
    /// The pool's time when the device was made; see ``ThinPoolSuperblock/time``.
    public let creationTime: UInt32
    /// The pool's time when the last snapshot was made of the device, or when it was made as one.
    public let snapshottedTime: UInt32

    /// An entry with these fields.
    public init(
        id: ThinDeviceID, mappedBlocks: UInt64, transactionID: UInt64, creationTime: UInt32, snapshottedTime: UInt32
    ) {
        self.id = id
        self.mappedBlocks = mappedBlocks
        self.transactionID = transactionID
        self.creationTime = creationTime
        self.snapshottedTime = snapshottedTime
    }

    /// Reads the details of a device.
    ///
    /// - Parameters:
    ///   - block: A leaf of the tree of devices.
    ///   - start: Where the value of the device begins in it.
    init(_ id: ThinDeviceID, _ block: MetadataBlock, at start: Int) {
        self.id = id
        mappedBlocks = block[DeviceDetailsLayout.mappedBlocks, in: start]
        transactionID = block[DeviceDetailsLayout.transactionID, in: start]
        creationTime = block[DeviceDetailsLayout.creationTime, in: start]
        snapshottedTime = block[DeviceDetailsLayout.snapshottedTime, in: start]
    }

    /// Reads the details of a device from the bytes of a leaf of the tree of devices.
    init(_ id: ThinDeviceID, _ leaf: RawSpan, at start: Int) {
        self.init(
            id: id, mappedBlocks: leaf.number(DeviceDetailsLayout.mappedBlocks, in: start),
            transactionID: leaf.number(DeviceDetailsLayout.transactionID, in: start),
            creationTime: leaf.number(DeviceDetailsLayout.creationTime, in: start),
            snapshottedTime: leaf.number(DeviceDetailsLayout.snapshottedTime, in: start))
    }
}
