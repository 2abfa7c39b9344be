public import SystemPackage

/// A pool's metadata on a block device or in a file, opened for reading only.
///
/// It is read past the page cache where that is possible, as the kernel writes the metadata of an active pool.
public final class ThinMetadataDevice: ThinMetadataSource {
    private let file: DirectFile

    /// The path that it was opened by.
    public var path: FilePath { file.path }

    /// Opens a block device or a file.
    ///
    /// - Throws: ``ThinMetadataError/Code/unreadable`` when it cannot be opened or its first block cannot be read.
    public init(_ path: FilePath) throws(ThinMetadataError) {
        file = try DirectFile(path)
    }

    /// Reads a block.
    ///
    /// - Throws: ``ThinMetadataError/Code/unreadable`` when the device fails; ``ThinMetadataError/Code/inconsistent`` when
    ///   it is shorter.
    public func readBlock(_ number: UInt64) throws -> [UInt8] {
        let block = try file.readPage(number)
        guard block.count == ThinPoolMetadata.blockSize else {
            throw ThinMetadataError(.inconsistent, block: number, "\(path) ends before it")
        }
        return block
    }

    /// How many blocks the device or file has.
    public func blockCount() throws -> UInt64? { try file.pageCount() }

    /// Reads blocks that follow each other.
    ///
    /// - Throws: The error number of the device.
    @unsafe public func readBlocks(from first: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        try unsafe file.readPages(from: first, into: buffer)
    }
}
