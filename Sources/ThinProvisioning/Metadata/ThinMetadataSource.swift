/// Where the blocks of a pool's metadata come from.
public protocol ThinMetadataSource: Sendable {
    /// Reads a block.
    ///
    /// - Parameter number: Its number, counted from the beginning of the metadata device.
    /// - Returns: Its ``ThinPoolMetadata/blockSize`` bytes.
    /// - Throws: What keeps it from being read. A block behind the end of the device is an error too.
    func readBlock(_ number: UInt64) throws -> [UInt8]
}
