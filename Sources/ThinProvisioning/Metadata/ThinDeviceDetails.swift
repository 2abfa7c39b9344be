/// What a pool's metadata knows of a thin device.
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
}
