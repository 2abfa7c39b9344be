internal import ThinProvisioning

/// The size that a file of a pool gets when the pool is made larger.
struct PoolFileGrowth {
    private static let mebibyte: UInt64 = 1 << 20

    /// The percentage of its size by which the file grows.
    let percent: Int
    /// The largest size of the file in bytes; `nil` for no limit.
    let limit: UInt64?

    /// The new size of a file in whole mebibytes, which is never more than the disk below the file can hold.
    ///
    /// - Parameters:
    ///   - size: The size of the file in bytes.
    ///   - reserved: The number of bytes that the file has on the disk, or that the pool has promised to layers.
    ///   - diskFree: The number of free bytes of the disk.
    /// - Returns: `nil` when the file cannot grow.
    func size(from size: UInt64, reserved: UInt64, diskFree: UInt64) -> UInt64? {
        let step = max(Self.mebibyte, (size / 100).multipliedClamping(by: UInt64(percent)))
        let wanted = size.addingClamping(step)
        let possible = reserved.addingClamping(diskFree)
        let result = min(wanted, possible, limit ?? .max) / Self.mebibyte * Self.mebibyte
        return result > size ? result : nil
    }

    /// The new size of the file below a space of a pool; `nil` when it is not on a file, or cannot grow.
    func size(of space: PoolReport.Space) -> UInt64? {
        guard let file = space.file, let usage = space.usage else { return nil }
        return size(from: file.size, reserved: max(file.allocated, usage.usedBytes), diskFree: file.diskFree)
    }
}

extension UInt64 {
    /// The sum, or the largest number if the sum is larger.
    fileprivate func addingClamping(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    /// The product, or the largest number if the product is larger.
    fileprivate func multipliedClamping(by other: UInt64) -> UInt64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
