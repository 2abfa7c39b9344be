internal import DeviceMapper
public import SystemPackage

/// The content of a thin device, read from the pool's data device without the kernel.
///
/// Nothing has to be active. Of a device that is in use it is what has been written out, and only a hint; see
/// ``ThinPoolMetadata``.
public struct ThinDeviceContent: Sendable {
    private let data: DirectFile
    private let mappings: BTree
    private let pagesPerBlock: UInt64
    private let dataBlocks: UInt64
    private let externalOrigin: DirectFile?

    /// Finds a thin device.
    ///
    /// - Parameters:
    ///   - id: The thin device.
    ///   - metadata: The pool's metadata.
    ///   - data: The pool's data device, or the file behind it.
    ///   - externalOrigin: The device, or the file behind it, that is read where the thin device has no block of its own.
    ///     Only the table of the thin device names it, not the metadata. Without it these blocks read as zeros, which is
    ///     wrong for a thin device that is used with an external origin.
    /// - Throws: ``ThinMetadataError``, with the code `noSuchDevice` among others.
    public init(
        of id: ThinDeviceID, in metadata: ThinPoolMetadata, data: FilePath, externalOrigin: FilePath? = nil
    ) throws(ThinMetadataError) {
        mappings = try metadata.mappingTree(of: id)
        pagesPerBlock = metadata.superblock.blockSize.bytes / UInt64(DirectFile.pageSize)
        dataBlocks = metadata.superblock.dataUsage?.total ?? ThinPoolMetadata.dataBlockLimit
        self.data = try DirectFile(data)
        if let externalOrigin {
            self.externalOrigin = try DirectFile(externalOrigin)
        } else {
            self.externalOrigin = nil
        }
    }

    /// Reads a range; what was never written is the external origin's, and zero without one and behind its end.
    ///
    /// - Parameters:
    ///   - offset: The first byte.
    ///   - count: How many bytes.
    /// - Throws: ``ThinMetadataError``.
    public func read(offset: UInt64, count: Int) throws(ThinMetadataError) -> [UInt8] {
        let (end, overflow) = offset.addingReportingOverflow(UInt64(max(0, count)))
        guard count > 0, !overflow else { return [] }
        var bytes: [UInt8] = []
        let size = UInt64(DirectFile.pageSize)
        let first = offset / size
        for page in first...(end - 1) / size { bytes += try readPage(page) }
        let start = Int(offset - first * size)
        return Array(bytes[start..<start + count])
    }

    private func readPage(_ page: UInt64) throws(ThinMetadataError) -> [UInt8] {
        guard let (leaf, index) = try mappings.find(page / pagesPerBlock) else {
            let bytes = try externalOrigin?.readPage(page) ?? []
            return bytes + [UInt8](repeating: 0, count: DirectFile.pageSize - bytes.count)
        }
        let block = try ThinPoolMetadata.mapping(leaf, index, below: dataBlocks).dataBlock
        let bytes = try data.readPage(block * pagesPerBlock + page % pagesPerBlock)
        guard bytes.count == DirectFile.pageSize else {
            throw ThinMetadataError(.unreadable, "\(data.path) ends before data block \(block)")
        }
        return bytes
    }
}
