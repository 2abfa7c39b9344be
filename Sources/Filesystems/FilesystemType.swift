public import BlockDevices
internal import SystemCalls
internal import SystemPackage

/// A file system that is recognised.
public enum FilesystemType: String, Hashable, Sendable, CaseIterable {
    case ext4
    case xfs
    case btrfs

    /// The file system that Docker's driver would take: XFS where the kernel has it and mkfs.xfs is installed, otherwise
    /// ext4.
    public static func preferred() -> FilesystemType {
        guard Program.find("mkfs.xfs") != nil else { return .ext4 }
        return FilesystemType.xfs.isKnownToKernel ? .xfs : .ext4
    }

    /// Whether the kernel can mount it; its module is loaded if there is one.
    public var isKnownToKernel: Bool {
        if isListed { return true }
        // A mount that must fail makes the kernel load the module.
        _ = unsafe SystemCalls.mount("none", "/proc/self/fd", rawValue, 0, nil)
        return isListed
    }

    private var isListed: Bool {
        // Without /proc nothing can be told, and the mount itself will say what is wrong.
        guard let content = try? PseudoFile.read("/proc/filesystems") else { return true }
        return String(decoding: content, as: UTF8.self).split(whereSeparator: \.isWhitespace)
            .contains { $0 == rawValue }
    }
}

/// The fields of a file system's superblock.
public struct Superblock: Hashable, Sendable {
    /// The type of the file system.
    public let type: FilesystemType
    /// Its UUID, in the form of blkid.
    public let uuid: String
    /// How many bytes of the device it needs.
    public let size: UInt64

    /// Reads the superblock on a device.
    ///
    /// - Returns: `nil` when there is no file system that is known.
    /// - Throws: `BlockDeviceError` when the device cannot be read.
    public static func probe(_ device: BlockDevice) throws(BlockDeviceError) -> Superblock? {
        try probe(size: device.size(), read: device.read)
    }

    /// Reads the superblock of anything that has a size and can be read from an offset.
    public static func probe<Failure>(
        size: UInt64, read: (_ offset: UInt64, _ count: Int) throws(Failure) -> [UInt8]
    ) throws(Failure) -> Superblock? {
        for signature in Signature.all where size >= signature.offset + UInt64(signature.length) {
            let bytes = try read(signature.offset, signature.length)
            if let superblock = signature.read(bytes) { return superblock }
        }
        return nil
    }

    /// Where a file system writes what it is.
    private struct Signature {
        let type: FilesystemType
        /// Where the superblock is on the device, and how much of it is read; multiples of 512 bytes.
        let offset: UInt64
        let length: Int
        /// Where within it the magic bytes and the UUID are.
        let magicOffset: Int
        let magic: [UInt8]
        let uuidOffset: Int

        static let all = [
            Signature(
                type: .xfs, offset: 0, length: 512, magicOffset: 0, magic: Array("XFSB".utf8), uuidOffset: 32),
            Signature(
                type: .ext4, offset: 1024, length: 1024, magicOffset: 0x38, magic: [0x53, 0xef], uuidOffset: 0x68),
            Signature(
                type: .btrfs, offset: 0x10000, length: 512, magicOffset: 0x40, magic: Array("_BHRfS_M".utf8),
                uuidOffset: 0x20),
        ]

        func read(_ bytes: [UInt8]) -> Superblock? {
            guard bytes.count == length, bytes[magicOffset...].starts(with: magic) else { return nil }
            var text = ""
            for (index, byte) in bytes[uuidOffset..<uuidOffset + 16].enumerated() {
                if [4, 6, 8, 10].contains(index) { text += "-" }
                text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
            return Superblock(type: type, uuid: text, size: size(bytes[...]))
        }

        /// How many bytes the file system has; not believed to be sensible.
        private func size(_ bytes: ArraySlice<UInt8>) -> UInt64 {
            func number(_ offset: Int, _ width: Int) -> UInt64 {
                bytes[offset..<offset + width].reversed().reduce(0) { $0 << 8 | UInt64($1) }
            }
            switch type {
            case .ext4:
                let is64Bit = number(0x60, 4) & 0x80 != 0
                let blocks = number(4, 4) | (is64Bit ? number(0x150, 4) << 32 : 0)
                // The size of a block is 1024 bytes, shifted.
                return blocks.multipliedReportingOverflow(by: 1024 << min(number(0x18, 4), 6)).partialValue
            case .xfs:
                return number(4, 4).byteSwapped >> 32 &* number(8, 8).byteSwapped
            case .btrfs:
                return number(0x70, 8)
            }
        }
    }
}
