public import BlockDevices

/// What a device holds, as far as its first and last bytes tell.
public enum DeviceContent {
    private struct Signature {
        let what: String
        let offset: UInt64
        let magic: [UInt8]

        init(_ what: String, _ offset: UInt64, _ magic: String) { self.init(what, offset, Array(magic.utf8)) }

        init(_ what: String, _ offset: UInt64, _ magic: [UInt8]) {
            self.what = what
            self.offset = offset
            self.magic = magic
        }
    }

    // Everything here is documented by the file systems and tools themselves; libblkid knows the same.
    private static let atStart = [
        Signature("an XFS file system", 0, "XFSB"),
        Signature("an ext2, ext3 or ext4 file system", 0x438, [0x53, 0xef]),
        Signature("a btrfs file system", 0x10040, "_BHRfS_M"),
        Signature("a LUKS encrypted volume", 0, [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe]),
        Signature("a LUKS encrypted volume", 0x4000, [0x53, 0x4b, 0x55, 0x4c, 0xba, 0xbe]),
        Signature("a BitLocker volume", 3, "-FVE-FS-"), Signature("an NTFS file system", 3, "NTFS    "),
        Signature("an exFAT file system", 3, "EXFAT   "), Signature("a FAT file system", 54, "FAT1"),
        Signature("a FAT file system", 82, "FAT32"), Signature("a GPT partition table", 512, "EFI PART"),
        Signature("a GPT partition table", 4096, "EFI PART"), Signature("a partition table", 510, [0x55, 0xaa]),
        Signature("a part of a Linux RAID array", 0, [0xfc, 0x4e, 0x2b, 0xa9]),
        Signature("a part of a Linux RAID array", 4096, [0xfc, 0x4e, 0x2b, 0xa9]),
        Signature("swap space", 4086, "SWAPSPACE2"), Signature("swap space", 4086, "SWAP-SPACE"),
        Signature("swap space", 65526, "SWAPSPACE2"), Signature("a hibernated system", 4086, "S1SUSPEND"),
        Signature("a bcache device", 4120, [0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca]),
        Signature("a bcachefs file system", 4120, [0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9]),
        Signature("an F2FS file system", 1024, [0x10, 0x20, 0xf5, 0xf2]),
        Signature("an EROFS file system", 1024, [0xe2, 0xe1, 0xf5, 0xe0]),
        Signature("a squashfs file system", 0, "hsqs"),
        Signature("an ISO 9660 file system", 0x8001, "CD001"), Signature("a UDF file system", 0x8001, "BEA01"),
        Signature("a JFS file system", 0x8000, "JFS1"), Signature("a reiserfs file system", 0x10034, "ReIsEr"),
        Signature("a GFS2 file system", 0x10000, [0x01, 0x16, 0x19, 0x70]),
        Signature("an OCFS2 file system", 0x1000, "OCFSV2"), Signature("a nilfs2 file system", 0x406, [0x34, 0x34]),
        Signature("a dm-integrity volume", 0, "integrt"), Signature("a dm-verity volume", 0, "verity\0\0"),
        Signature("a VDO volume", 0, "dmvdo001"), Signature("a Ceph OSD", 0, "bluestore block device"),
        Signature("the metadata of a thin pool", 32, [0x2a, 0x52, 0x9c, 0x01]),
        Signature("a persistent snapshot", 0, "SnAp"), Signature("a Stratis device", 0x200, "!Stra0tis\u{86}"),
    ]

    /// What is on a device, in words; empty when nothing is recognised.
    ///
    /// - Throws: What reading throws.
    public static func probe(_ device: any PhysicalStorage) throws -> [String] {
        let size = try device.size()
        let start = try device.read(offset: 0, count: 0x10200)
        var found: [String] = []
        func note(_ what: String) { if !found.contains(what) { found.append(what) } }
        func check(_ signatures: [Signature], _ bytes: [UInt8]) {
            for signature in signatures
            where bytes.count >= Int(signature.offset) + signature.magic.count
                && bytes[Int(signature.offset)...].starts(with: signature.magic)
            {
                note(signature.what)
            }
        }
        do {
            if try PhysicalVolumeLabel.read(device) != nil { note("an LVM physical volume") }
        } catch is LogicalVolumeError {
            note("a damaged LVM physical volume")
        }
        check(atStart, start)
        // Copies and tables at the end: a backup GPT in the last sector, RAID superblocks in the last 128 KiB.
        let tail: UInt64 = 0x20000
        guard size >= tail else { return found }
        let end = try device.read(offset: size - tail, count: Int(tail))
        check([Signature("a GPT partition table", tail - 512, "EFI PART")], end)
        check([Signature("a GPT partition table", tail - 4096, "EFI PART")], end)
        let raid: [UInt8] = [0xfc, 0x4e, 0x2b, 0xa9]
        for place in [(size - 65536) / 65536 * 65536, (size - 8192) / 4096 * 4096] where place >= size - tail {
            check([Signature("a part of a Linux RAID array", place - (size - tail), raid)], end)
        }
        check([Signature("a part of a RAID array of the firmware's", tail - 1024, "Intel Raid ISM Cfg")], end)
        check([Signature("a part of a RAID array of the firmware's", tail - 512, [0xde, 0x11, 0xde, 0x11])], end)
        if try hasZFS(device, size) { note("a part of a ZFS pool") }
        return found
    }

    /// ZFS has four labels, each with a ring of 128 KiB in its second half whose records begin with one number.
    private static func hasZFS(_ device: any PhysicalStorage, _ size: UInt64) throws -> Bool {
        let label: UInt64 = 256 << 10
        guard size >= label * 4 else { return false }
        for place in [0, size / label * label - label] {
            let ring = try device.read(offset: place + label / 2, count: Int(label / 2))
            for record in stride(from: 0, to: ring.count, by: 1024) {
                let number = LittleEndian.read(UInt64.self, ring, at: record)
                if number == 0x00ba_b10c || number?.byteSwapped == 0x00ba_b10c { return true }
            }
        }
        return false
    }

    /// Overwrites the first and the last mebibyte, so that nothing is recognised on the device any more.
    ///
    /// - Throws: `BlockDeviceError`.
    public static func wipe(_ device: BlockDevice) throws {
        let size = try device.size()
        let length = min(size, 1 << 20)
        let block = UInt64(max(512, try device.logicalBlockSize()))
        try device.zero(offset: 0, length: length / block * block)
        if size > length {
            let end = size / block * block
            try device.zero(offset: end - length, length: length)
        }
    }
}
