/// Takes the content of a pool's metadata, part by part.
///
/// A reader of metadata or of XML calls it; a writer of metadata, of XML or of a report implements it. The calls come in
/// this order: ``begin(_:)``; any number of shared parts (``beginShared(_:)``, mappings and references, ``endShared()``),
/// each before the first reference to it; any number of devices (``beginDevice(_:)``, mappings and references in the order
/// of the thin blocks, ``endDevice()``), in the order of their numbers; ``end()``.
public protocol ThinMetadataVisitor {
    /// The pool itself.
    mutating func begin(_ pool: ThinMetadataHeader) throws
    /// The calls up to ``endShared()`` describe a part that several devices have in common.
    ///
    /// - Parameter name: A number that stands for the part in ``reference(to:)``.
    mutating func beginShared(_ name: UInt64) throws
    /// The shared part is complete.
    mutating func endShared() throws
    /// The calls up to ``endDevice()`` describe a device.
    mutating func beginDevice(_ device: ThinDeviceDetails) throws
    /// The device is complete.
    mutating func endDevice() throws
    /// A run of mappings of the device or of the shared part.
    mutating func map(_ run: ThinMapping) throws
    /// All mappings of a shared part stand here.
    mutating func reference(to name: UInt64) throws
    /// The pool is complete.
    mutating func end() throws
}

/// The fields of a superblock that describe the pool, without those that are numbers of metadata blocks.
public struct ThinMetadataHeader: Hashable, Sendable {
    /// The field `uuid`, 16 bytes; kernels leave it zero.
    public var uuid: [UInt8]
    /// The pool's time; see ``ThinPoolSuperblock/time``.
    public var time: UInt32
    /// The pool's transaction id.
    public var transactionID: UInt64
    /// The field `flags`; its lowest bit says that the metadata must be checked before the pool can change.
    public var flags: UInt32
    /// The version of the format, 1 or 2.
    public var version: UInt32
    /// The length of a block of the pool in sectors of 512 bytes.
    public var blockSectors: UInt32
    /// The number of blocks of the data device.
    public var dataBlocks: UInt64

    /// A header with these fields.
    public init(
        uuid: [UInt8] = [UInt8](repeating: 0, count: 16), time: UInt32, transactionID: UInt64, flags: UInt32 = 0,
        version: UInt32 = 2, blockSectors: UInt32, dataBlocks: UInt64
    ) {
        self.uuid = uuid
        self.time = time
        self.transactionID = transactionID
        self.flags = flags
        self.version = version
        self.blockSectors = blockSectors
        self.dataBlocks = dataBlocks
    }
}
