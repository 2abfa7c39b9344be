/// Where the blocks of a pool's metadata come from.
public protocol ThinMetadataSource: Sendable {
    /// Reads a block.
    ///
    /// - Parameter number: Its number, counted from the beginning of the metadata device.
    /// - Returns: Its ``ThinPoolMetadata/blockSize`` bytes.
    /// - Throws: The reason why the block cannot be read. A block behind the end of the device is an error too.
    func readBlock(_ number: UInt64) throws -> [UInt8]
    /// How many blocks there are; `nil` when the source does not tell.
    func blockCount() throws -> UInt64?
    /// Reads blocks that follow each other.
    ///
    /// - Parameters:
    ///   - first: The number of the first block.
    ///   - buffer: Room for the blocks, which begins at a multiple of their size.
    /// - Returns: How many blocks were read; fewer than there is room for at the end of the device.
    /// - Throws: The reason why the first block cannot be read.
    @unsafe func readBlocks(from first: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws -> Int
}

extension ThinMetadataSource {
    /// A source does not have to tell how many blocks it has.
    public func blockCount() throws -> UInt64? { nil }

    /// Reads one block after the other.
    @unsafe public func readBlocks(from first: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let size = ThinPoolMetadata.blockSize
        for index in 0..<buffer.count / size {
            do {
                let block = try readBlock(first + UInt64(index))
                guard block.count == size else { return index }
                unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[(index * size)...]).copyBytes(from: block)
            } catch  where index > 0 {
                return index
            }
        }
        return buffer.count / size
    }
}
