public import BlockDevices

/// The storage of a physical volume: a block device, or an image of one.
public protocol PhysicalStorage: Sendable {
    /// The size in bytes.
    func size() throws -> UInt64
    /// Reads `count` bytes, fewer at the end.
    func read(offset: UInt64, count: Int) throws -> [UInt8]
    /// Writes bytes, all of which must lie within the size.
    func write(_ bytes: [UInt8], offset: UInt64) throws
    /// Waits until everything that was written survives a loss of power.
    func flush() throws
}

extension BlockDevice: PhysicalStorage {}
