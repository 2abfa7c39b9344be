internal import DeviceMapper

extension Sectors {
    /// A size in bytes as whole sectors; what is left over becomes one more.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidOption`` for more than a device can have.
    static func rounded(_ size: UInt64) throws(LayerStoreError) -> UInt64 {
        let (sum, overflow) = size.addingReportingOverflow(bytesPerSector - 1)
        guard !overflow, sum <= UInt64(Int64.max) else {
            throw LayerStoreError(.invalidOption, "\(size) bytes are more than a device can have; name a smaller size")
        }
        return sum / bytesPerSector * bytesPerSector
    }
}
