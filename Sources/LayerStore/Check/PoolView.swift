internal import DeviceMapper
internal import Filesystems
internal import SystemPackage
internal import ThinProvisioning

/// The state and the metadata of a pool as a check has read them, whether the pool is active or not.
struct PoolView {
    var isActive = false
    var state: ThinPoolState?
    var source: ThinMetadataDevice?
    var superblock: ThinPoolSuperblock?
    var devices: [ThinDeviceID: ThinDeviceDetails]?
    var dataPath: FilePath?

    /// The file system on a thin device, read without activating anything; `nil` where it cannot be read or there is none.
    func filesystem(of record: LayerRecord) -> Superblock? {
        guard let source, let dataPath else { return nil }
        // A device that cannot be read is a finding of its own.
        return try? ThinPoolMetadata.consistently(reading: source) { metadata in
            let content = try ThinDeviceContent(of: record.deviceID, in: metadata, data: dataPath)
            return try Superblock.probe(size: record.size, read: content.read)
        }
    }

    /// The highest block of a thin device that is mapped; `nil` where that cannot be read, or nothing is.
    func highestBlock(of number: ThinDeviceID) -> UInt64? {
        guard let source else { return nil }
        // A device that cannot be read is a finding of its own.
        return try? ThinPoolMetadata.consistently(reading: source) { try $0.highestBlock(of: number) }
    }

    /// How many bytes the deletion of a thin device frees; `nil` where that cannot be read.
    func exclusiveBytes(of number: ThinDeviceID) -> UInt64? {
        guard let source, let unit = superblock?.blockSize.bytes else { return nil }
        // It only completes a message.
        return try? ThinPoolMetadata.consistently(reading: source) { try $0.exclusiveBlocks(of: number) * unit }
    }
}
