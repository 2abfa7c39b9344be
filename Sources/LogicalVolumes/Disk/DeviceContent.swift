public import BlockDevices

/// The content of a device, as far as its first and last bytes tell.
public enum DeviceContent {
    /// The kinds of content on a device, in words; empty when nothing is recognised.
    ///
    /// - Throws: The errors of reading.
    public static func probe(_ device: any PhysicalStorage) throws -> [String] {
        var found: [String] = []
        for signature in try DeviceSignature.found(size: device.size(), read: device.read)
        where !found.contains(signature.description) {
            found.append(signature.description)
        }
        return found
    }

    /// Overwrites as much of both ends as can hold a signature, so that nothing is recognised on the device any more.
    ///
    /// - Throws: `BlockDeviceError`.
    public static func wipe(_ device: BlockDevice) throws {
        let size = try device.size()
        let block = UInt64(max(512, try device.logicalBlockSize()))
        let mebibyte: UInt64 = 1 << 20
        let length = min(size, (DeviceSignature.reach + mebibyte) / mebibyte * mebibyte)
        try device.zero(offset: 0, length: length / block * block)
        if size > length {
            let end = size / block * block
            try device.zero(offset: end - length, length: length)
        }
    }
}
