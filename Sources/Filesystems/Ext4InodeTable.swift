internal import BlockDevices
internal import SystemCalls

/// Where the inodes of an ext4 are on its device.
///
/// The layout is that of the kernel's `Documentation/filesystems/ext4`: little-endian fields; the superblock 1024 bytes
/// from the beginning, the descriptors of the groups in the block behind it, and in each group a table of inodes.
struct Ext4InodeTable {
    private struct Group: Hashable {
        /// Where its table begins, in bytes.
        let start: UInt64
        /// How many inodes of the table may ever have been used.
        let used: Int
    }

    /// The first inode has the number 1.
    let inodeCount: UInt64
    private let device: BlockDevice
    private let inodeSize: Int
    private let inodesPerGroup: Int
    private let groups: [Group]

    /// Reads the superblock and the descriptors of the groups.
    ///
    /// - Returns: `nil` when the file system has inodes without fractions of seconds, or descriptors elsewhere.
    init?(_ device: BlockDevice) throws(BlockDeviceError) {
        let superblock = try device.read(offset: 1024, count: 1024)
        guard superblock.count == 1024, Self.number(superblock, 0x38, 2) == 0xef53 else { return nil }
        let (incompatible, readOnlyCompatible) = (
            Self.number(superblock, 0x60, 4), Self.number(superblock, 0x64, 4)
        )
        let metaGroups: UInt64 = 0x10, has64Bits: UInt64 = 0x80
        // Without checksums of the groups, nothing says how much of a table is used.
        let checksums: UInt64 = 0x10 | 0x400
        let logarithm = Self.number(superblock, 0x18, 4)
        let count = Self.number(superblock, 0, 4)
        let perGroup = Self.number(superblock, 0x28, 4)
        let size = Self.number(superblock, 0x58, 2)
        guard incompatible & metaGroups == 0, readOnlyCompatible & checksums != 0, logarithm <= 6, count > 0,
            case let blockSize = UInt64(1024) << logarithm, perGroup > 0, perGroup <= 8 * blockSize,
            size >= 256, size <= blockSize
        else { return nil }
        inodeCount = count
        inodeSize = Int(size)
        inodesPerGroup = Int(perGroup)
        self.device = device

        let is64Bit = incompatible & has64Bits != 0
        let descriptorSize = is64Bit ? Int(Self.number(superblock, 0xfe, 2)) : 32
        let groupCount = Int((count + perGroup - 1) / perGroup)
        guard descriptorSize >= (is64Bit ? 64 : 32), descriptorSize <= Int(blockSize), groupCount <= 1 << 20 else {
            return nil
        }
        let first = Self.number(superblock, 0x14, 4) + 1
        let descriptors = try device.read(offset: first * blockSize, count: groupCount * descriptorSize)
        guard descriptors.count == groupCount * descriptorSize else { return nil }
        var groups: [Group] = []
        for start in stride(from: 0, to: descriptors.count, by: descriptorSize) {
            func field(_ low: Int, _ high: Int, _ width: Int) -> UInt64 {
                Self.number(descriptors, start + low, width)
                    | (is64Bit ? Self.number(descriptors, start + high, width) << UInt64(8 * width) : 0)
            }
            let unused = field(0x1c, 0x32, 2)
            let isUnused = Self.number(descriptors, start + 0x12, 2) & 1 != 0
            let (position, overflows) = field(0x8, 0x28, 4).multipliedReportingOverflow(by: blockSize)
            guard unused <= perGroup, !overflows else { return nil }
            groups.append(Group(start: position, used: isUnused ? 0 : Int(perGroup - unused)))
        }
        self.groups = groups
    }

    /// The numbers of the inodes that both file systems have room for and that differ, ascending.
    ///
    /// - Returns: `nil` when the file systems are not of the same form.
    func differences(from other: Ext4InodeTable) throws(BlockDeviceError) -> [UInt64]? {
        guard inodeSize == other.inodeSize, inodesPerGroup == other.inodesPerGroup else { return nil }
        var numbers: [UInt64] = []
        let piece = (256 << 10) / inodeSize
        for (index, (group, otherGroup)) in zip(groups, other.groups).enumerated() {
            let used = max(group.used, otherGroup.used)
            for start in stride(from: 0, to: used, by: piece) {
                let size = min(piece, used - start) * inodeSize
                let offset = UInt64(start * inodeSize)
                let (position, overflows) = group.start.addingReportingOverflow(offset)
                let (otherPosition, otherOverflows) = otherGroup.start.addingReportingOverflow(offset)
                guard !overflows, !otherOverflows else { return nil }
                let inodes = try device.read(offset: position, count: size)
                let otherInodes = try other.device.read(offset: otherPosition, count: size)
                guard inodes.count == size, otherInodes.count == size else { return nil }
                let first = UInt64(index * inodesPerGroup + start) + 1
                collectDifferences(inodes, otherInodes, first: first, into: &numbers)
            }
        }
        return numbers
    }

    private func collectDifferences(
        _ inodes: [UInt8], _ others: [UInt8], first: UInt64, into numbers: inout [UInt64]
    ) {
        unsafe inodes.withUnsafeBytes { inodes in
            unsafe others.withUnsafeBytes { others in
                guard let one = inodes.baseAddress, let other = others.baseAddress else { return }
                for start in stride(from: 0, to: inodes.count, by: inodeSize) {
                    if unsafe !Self.isSame(one + start, other + start, size: inodeSize) {
                        numbers.append(first + UInt64(start / inodeSize))
                    }
                }
            }
        }
    }

    /// The compared bytes of an inode: all but i_atime, i_checksum_lo, i_checksum_hi and i_atime_extra.
    private static let compared = [0..<0x8, 0xc..<0x7c, 0x7e..<0x82, 0x84..<0x8c, 0x90..<0x100]

    private static func isSame(_ one: UnsafeRawPointer, _ other: UnsafeRawPointer, size: Int) -> Bool {
        for range in compared {
            let start = range.lowerBound
            if unsafe memcmp(one + start, other + start, range.count) != 0 { return false }
        }
        if size > 0x100, unsafe memcmp(one + 0x100, other + 0x100, size - 0x100) != 0 { return false }
        // i_mode, 0 where no file has been yet; i_extra_isize; and i_ctime_extra, of which 2 bits are none of the
        // nanoseconds. A time of whole seconds may be that of an earlier change.
        let mode = unsafe one.load(as: UInt16.self)
        let extraSize = unsafe UInt16(littleEndian: one.load(fromByteOffset: 0x80, as: UInt16.self))
        let nanoseconds = unsafe UInt32(littleEndian: one.load(fromByteOffset: 0x84, as: UInt32.self)) >> 2
        return mode == 0 || (extraSize >= 8 && nanoseconds != 0)
    }

    private static func number(_ bytes: [UInt8], _ offset: Int, _ width: Int) -> UInt64 {
        bytes[offset..<offset + width].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
