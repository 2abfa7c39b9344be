/// The checks of the fields around magic bytes that are too short to be certain.
extension DeviceSignature {
    /// The parameters in the boot sector of a FAT file system.
    @Sendable static func isFAT(_ sector: SignedStructure) throws -> Bool {
        // OS/2 gives other file systems a boot sector of the same form.
        if try sector.has("JFS     ", 0x36) || sector.has("HPFS    ", 0x36) { return false }
        if try sector.has("-FVE-FS-", 3) || sector.has("EXFAT   ", 3) || sector.has("NTFS    ", 3) { return false }
        if try sector.has(bitLockerIdentifier, 424) { return false }
        let sectorSize = try sector.little(11, 2)
        let clusterSize = try sector.little(13, 1)
        let media = try sector.little(21, 1)
        guard sectorSize.isPowerOfTwo, 512...4096 ~= sectorSize, clusterSize.isPowerOfTwo,
            media == 0xf0 || media >= 0xf8
        else { return false }
        let (reservedSectors, tables) = (try sector.little(14, 2), try sector.little(16, 1))
        let shortTable = try sector.little(22, 2)
        let tableSize = try shortTable == 0 ? sector.little(36, 4) : shortTable
        let shortCount = try sector.little(19, 2)
        let sectors = try shortCount == 0 ? sector.little(32, 4) : shortCount
        let directory = (try sector.little(17, 2) * 32 + sectorSize - 1) / sectorSize
        let overhead = reservedSectors + tables * tableSize + directory
        return reservedSectors > 0 && tables > 0 && tableSize > 0 && sectors >= overhead
    }

    /// The identifier in the boot sector of a BitLocker volume that other systems take for a FAT file system.
    static let bitLockerIdentifier: Magic = [
        0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a, 0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01,
    ]

    /// The master directory block of an HFS file system.
    @Sendable static func isHFS(_ block: SignedStructure) throws -> Bool {
        if try block.has("H+", 124) || block.has("HX", 124) { return false }
        return try isMasterDirectoryBlock(block)
    }

    /// The size of a block, a multiple of 512 bytes and at most 32 MiB, and the length of the name.
    private static func isMasterDirectoryBlock(_ block: SignedStructure) throws -> Bool {
        let size = try block.big(20, 4)
        return try 512...32 << 20 ~= size && size.isMultiple(of: 512) && block.big(36, 1) <= 27
    }

    /// The header of an HFS+ volume, which has version 4 or 5, or the block of an HFS volume that one lies in.
    @Sendable static func isHFSPlus(_ header: SignedStructure) throws -> Bool {
        if try header.has("BD", 0) { return try isMasterDirectoryBlock(header) }
        let size = try header.big(40, 4)
        return try 4...5 ~= header.big(2, 2) && size >= 512 && size.isPowerOfTwo
    }

    /// Whether the descriptors of an ISO 9660 file system are followed by those of a UDF, whose bridge it then is.
    static func isUDF(_ descriptor: SignedStructure) throws -> Bool {
        try stride(from: UInt64(0), to: 0x18000, by: 2048).contains {
            try descriptor.has("NSR02", $0 + 1) || descriptor.has("NSR03", $0 + 1)
        }
    }

    /// The counts in the superblock of a minix file system, in the order of bytes of its magic number.
    @Sendable static func isMinix(_ block: SignedStructure) throws -> Bool {
        // Fields of these file systems can look like the magic number.
        if try block.has([0x53, 0xef], 0x38) || block.has([0xe2, 0xe1, 0xf5, 0xe0], 0) { return false }
        let magics: Set<UInt64> = [0x137f, 0x138f, 0x2468, 0x2478]
        for number in [block.little, block.big] {
            let magic = try number(16, 2)
            let inodes: UInt64
            let zones: UInt64
            let maps: UInt64
            if magics.contains(magic) {
                guard try number(18, 2) <= 3 else { continue }
                (inodes, zones, maps) = (try number(0, 2), try magic >= 0x2468 ? number(20, 4) : number(2, 2), 4)
            } else if try number(24, 2) == 0x4d5a {
                (inodes, zones, maps) = (try number(0, 4), try number(20, 4), 6)
            } else {
                continue
            }
            let (inodeMap, zoneMap) = (try number(maps, 2), try number(maps + 2, 2))
            let first = try number(maps + 4, 2)
            // A map has a bit for each inode or zone, and one more; its blocks have at least 1024 bytes.
            if try number(maps + 6, 2) == 0, inodes > 0, first <= zones, inodeMap * 8192 > inodes,
                zoneMap * 8192 > zones - first
            {
                return true
            }
        }
        return false
    }

    /// The record of a log of XFS: its version, its length and its format.
    @Sendable static func isXFSLog(_ record: SignedStructure) throws -> Bool {
        try 1...3 ~= record.big(8, 4) && 1...UInt64(Int32.max) ~= record.big(12, 4) && 1...3 ~= record.big(300, 4)
    }

    /// The four partitions of a boot sector: each is marked as active with 0x80, or not with 0.
    @Sendable static func isPartitionTable(_ sector: SignedStructure) throws -> Bool {
        // AIX has its own table, and the partition of type 0xee stands for a GPT.
        if try sector.has([0xc9, 0xc2, 0xd4, 0xc1], 0) { return false }
        let partitions = try partitions(of: sector)
        guard partitions.allSatisfy({ [0, 0x80].contains($0[0]) && $0[4] != 0xee }) else { return false }
        // Some start their system from a physical volume, whose boot sector has no partition.
        let isEmpty = partitions.allSatisfy { $0[12...].allSatisfy { $0 == 0 } }
        return try !(isEmpty && hasPhysicalVolumeLabel(sector))
    }

    private static func partitions(of sector: SignedStructure) throws -> [[UInt8]] {
        try stride(from: UInt64(446), to: 510, by: 16).map { try sector.bytes($0, 16) }
    }

    private static func hasPhysicalVolumeLabel(_ device: SignedStructure) throws -> Bool {
        try stride(from: UInt64(0), to: 2048, by: 512).contains { try device.has("LABELONE", $0) }
    }

    /// The boot sector that protects a GPT, which is left when its table is damaged.
    @Sendable static func isProtectiveTable(_ sector: SignedStructure) throws -> Bool {
        let partitions = try partitions(of: sector)
        return partitions.allSatisfy { [0, 0x80].contains($0[0]) } && partitions.contains { $0[4] == 0xee }
    }

    /// The exclusive or of all numbers of 16 bits in a Sun label is zero.
    @Sendable static func isSunLabel(_ sector: SignedStructure) throws -> Bool {
        try stride(from: UInt64(0), to: 512, by: 2).reduce(0) { try $0 ^ sector.big($1, 2) } == 0
    }

    /// The first entry of an Apple partition map, in the second block.
    @Sendable static func isApplePartitionMap(_ sector: SignedStructure) throws -> Bool {
        let size = try sector.big(2, 2)
        return try size >= 512 && (sector.has("PM", size) || sector.has("TS", size))
    }

    /// An Atari root sector, which has no magic number: of its four partitions one is active, and all that are active
    /// have a known kind and lie on the disk.
    @Sendable static func isAtariTable(_ sector: SignedStructure) throws -> Bool {
        let sectors = try sector.big(0x1c2, 4)
        func isInside(_ start: UInt64, _ length: UInt64) -> Bool {
            start > 0 && length > 0 && start + length <= sectors
        }
        guard sectors >= 2, sectors <= min(sector.device.size / 512, UInt64(Int32.max)) else { return false }
        let (badStart, badLength) = (try sector.big(0x1f6, 4), try sector.big(0x1fa, 4))
        guard badStart == 0 && badLength == 0 || isInside(badStart, badLength) else { return false }
        var hasPartition = false
        for partition in stride(from: UInt64(0x1c6), to: 0x1f6, by: 12) {
            let flags = try sector.big(partition, 1)
            guard flags & 0x7e == 0 else { return false }
            guard flags & 1 == 1 else { continue }
            let isKnown = try atariKinds.contains { try sector.has($0, partition + 1) }
            guard try isKnown && isInside(sector.big(partition + 4, 4), sector.big(partition + 8, 4)) else {
                return false
            }
            hasPartition = true
        }
        return hasPartition
    }

    private static let atariKinds: [Magic] = ["GEM", "BGM", "XGM", "LNX", "SWP", "RAW", "MIX", "UNX", "MNX", "F32"]

    /// The version and the checksum of a VIA array's member.
    @Sendable static func isVIA(_ sector: SignedStructure) throws -> Bool {
        let sum = try sector.bytes(0, 50).reduce(0) { $0 &+ $1 }
        return try sector.big(2, 1) <= 2 && sector.bytes(50, 1) == [sum]
    }

    /// The kind and the checksum of a JMicron array's member.
    @Sendable static func isJMicron(_ sector: SignedStructure) throws -> Bool {
        let sum = try stride(from: UInt64(0), to: 126, by: 2).reduce(0) { try $0 + sector.little($1, 2) } & 0xffff
        return try sum <= 1 && sector.big(46, 1) <= 5
    }
}
