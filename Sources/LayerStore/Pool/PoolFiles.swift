internal import ThinProvisioning

/// The last known sizes of a pool's files, so that the free space of their disk tells whether a layer still fits.
struct PoolFiles: Sendable {
    let data: FileSpace
    let metadata: FileSpace

    /// Whether the files certainly have what the pool needs to take another layer.
    ///
    /// Since they were looked at, the metadata file has not given up any of its place on the disk, for nothing ever makes
    /// it; the data file may have given up all of it.
    ///
    /// - Parameters:
    ///   - state: The pool's state now.
    ///   - diskFree: How many bytes their file system has left now.
    ///   - percent: The share of all that must be free.
    func suffice(for state: ThinPoolState, diskFree: UInt64, percent: Int) -> Bool {
        let ahead = FileSpace.metadataAhead(diskFree: diskFree)
        // A pool that has grown since has files that nobody has looked at.
        guard data.disk == metadata.disk, state.metadata.totalBytes <= metadata.size,
            metadata.allocated >= min(metadata.size, state.metadata.usedBytes + ahead / 2)
        else { return false }
        return data.reduced(toAllocated: 0, diskFree: diskFree).shortage(for: state.data, percent: percent) == nil
            && metadata.reduced(toAllocated: metadata.allocated, diskFree: diskFree)
                .shortage(for: state.metadata, percent: percent) == nil
    }
}

extension FileSpace {
    /// How many bytes of place on the disk a metadata file gets before they are needed: less where not much is left.
    static func metadataAhead(diskFree: UInt64) -> UInt64 { min(64 << 20, diskFree / 16) }

    /// The same file with other figures of the disk.
    fileprivate func reduced(toAllocated allocated: UInt64, diskFree: UInt64) -> FileSpace {
        FileSpace(path: path, size: size, allocated: allocated, diskFree: diskFree, diskSize: diskSize, disk: disk)
    }
}
