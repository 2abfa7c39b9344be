internal import DeviceMapper
internal import ThinProvisioning

extension ThinPool {
    /// The largest size of a pool's metadata that the kernel makes use of, in bytes: a little less than 16 GiB.
    ///
    /// It is the figure `THIN_METADATA_MAX_SECTORS` of `drivers/md/dm-thin-metadata.h`.
    static let largestMetadata = 33_292_800 * Sectors.bytesPerSector
}
