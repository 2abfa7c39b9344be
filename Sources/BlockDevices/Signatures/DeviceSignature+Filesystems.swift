extension DeviceSignature {
    /// File systems of Linux and of today's Windows and macOS.
    static let filesystems: [DeviceSignature] = [
        DeviceSignature(["xfs"], "an XFS file system", [SignaturePlace(0, 0, "XFSB")]),
        DeviceSignature(
            ["ext4", "ext3", "ext2", "ext4dev", "jbd"], "an ext2, ext3 or ext4 file system",
            [SignaturePlace(1024, 0x38, [0x53, 0xef])], isPlausible: { try $0.little(0x18, 4) < 256 }),
        DeviceSignature(["btrfs"], "a btrfs file system", [SignaturePlace(0x10000, 0x40, "_BHRfS_M")]),
        DeviceSignature(
            ["bcachefs"], "a bcachefs file system",
            [
                SignaturePlace(4096, 24, Magic.bcachefs), SignaturePlace(2 << 20, 24, Magic.bcachefs),
                SignaturePlace(beforeEnd: 1 << 20, unit: 1, 24, Magic.bcachefs),
            ]),
        DeviceSignature(["f2fs"], "an F2FS file system", [SignaturePlace(1024, 0, [0x10, 0x20, 0xf5, 0xf2])]),
        DeviceSignature(
            ["nilfs2"], "a nilfs2 file system",
            [SignaturePlace(1024, 6, [0x34, 0x34]), SignaturePlace(beforeEnd: 4096, 6, [0x34, 0x34])],
            // The revision, the size of the superblock, and the logarithm of the block's.
            isPlausible: {
                try $0.little(0, 4) < 16 && 24...1024 ~= $0.little(8, 2) && $0.little(20, 4) <= 6
            }),
        DeviceSignature(["zonefs"], "a zonefs file system", [SignaturePlace(0, 0, "SFOZ")]),
        DeviceSignature(["erofs"], "an EROFS file system", [SignaturePlace(1024, 0, [0xe2, 0xe1, 0xf5, 0xe0])]),
        DeviceSignature(
            ["squashfs", "squashfs3"], "a squashfs file system",
            [SignaturePlace(0, 0, "hsqs"), SignaturePlace(0, 0, "sqsh")]),
        DeviceSignature(
            ["cramfs"], "a cramfs file system",
            [SignaturePlace(0, 0, [0x45, 0x3d, 0xcd, 0x28]), SignaturePlace(0, 0, [0x28, 0xcd, 0x3d, 0x45])]),
        DeviceSignature(["romfs"], "a romfs file system", [SignaturePlace(0, 0, "-rom1fs-")]),
        DeviceSignature(["ubifs"], "a UBIFS file system", [SignaturePlace(0, 0, [0x31, 0x18, 0x10, 0x06])]),
        DeviceSignature(["jfs"], "a JFS file system", [SignaturePlace(0x8000, 0, "JFS1")]),
        DeviceSignature(
            ["reiserfs"], "a reiserfs file system",
            [
                SignaturePlace(8 << 10, 0x34, "ReIsErFs"), SignaturePlace(8 << 10, 20, "ReIsErFs"),
                SignaturePlace(64 << 10, 0x34, "ReIsErFs"), SignaturePlace(64 << 10, 0x34, "ReIsEr2Fs"),
                SignaturePlace(64 << 10, 0x34, "ReIsEr3Fs"),
            ]),
        DeviceSignature(["reiser4"], "a reiser4 file system", [SignaturePlace(64 << 10, 0, "ReIsEr4")]),
        DeviceSignature(
            ["gfs2", "gfs"], "a GFS or GFS2 file system", [SignaturePlace(64 << 10, 0, [0x01, 0x16, 0x19, 0x70])]),
        DeviceSignature(["ocfs"], "an OCFS file system", [SignaturePlace(8 << 10, 0, "OracleCFS")]),
        // The superblock is block 2; blocks have 512 to 4096 bytes.
        DeviceSignature(
            ["ocfs2"], "an OCFS2 file system",
            [
                SignaturePlace(1 << 10, 0, "OCFSV2"), SignaturePlace(2 << 10, 0, "OCFSV2"),
                SignaturePlace(4 << 10, 0, "OCFSV2"), SignaturePlace(8 << 10, 0, "OCFSV2"),
            ]),
        DeviceSignature(
            ["scoutfs_meta", "scoutfs_data"], "a scoutfs file system",
            [SignaturePlace(64 << 10, 4, [0x8b, 0x42, 0x3c, 0x10])]),
        DeviceSignature(
            ["vfat"], "a FAT file system",
            [
                SignaturePlace(0, 0x52, "MSWIN"), SignaturePlace(0, 0x52, "FAT32   "), SignaturePlace(0, 0x36, "MSDOS"),
                SignaturePlace(0, 0x36, "FAT16   "), SignaturePlace(0, 0x36, "FAT12   "),
                SignaturePlace(0, 0x36, "FAT     "), SignaturePlace(0, 510, [0x55, 0xaa]),
            ], isPlausible: isFAT),
        DeviceSignature(["exfat"], "an exFAT file system", [SignaturePlace(0, 3, "EXFAT   ")]),
        DeviceSignature(["ntfs"], "an NTFS file system", [SignaturePlace(0, 3, "NTFS    ")]),
        DeviceSignature(["ReFS"], "a ReFS file system", [SignaturePlace(0, 0, "\0\0\0ReFS\0")]),
        DeviceSignature(["apfs"], "an APFS file system", [SignaturePlace(0, 32, "NXSB")]),
        DeviceSignature(
            ["hfsplus"], "an HFS+ file system",
            [
                SignaturePlace(1024, 0, "H+"), SignaturePlace(1024, 0, "HX"), SignaturePlace(1024, 124, "H+"),
                SignaturePlace(1024, 124, "HX"),
            ], isPlausible: isHFSPlus),
        DeviceSignature(["hfs"], "an HFS file system", [SignaturePlace(1024, 0, "BD")], isPlausible: isHFS),
        DeviceSignature(["iso9660"], "an ISO 9660 file system", isoPlaces, isPlausible: { try !isUDF($0) }),
        DeviceSignature(["udf"], "a UDF file system", udfPlaces),
    ]

    /// File systems of other and of older systems.
    static let otherFilesystems: [DeviceSignature] = [
        DeviceSignature(["minix"], "a minix file system", minixPlaces, isPlausible: isMinix),
        DeviceSignature(
            ["befs"], "a BeFS file system",
            [
                SignaturePlace(0, 32, "BFS1"), SignaturePlace(0, 32, "1SFB"), SignaturePlace(512, 32, "BFS1"),
                SignaturePlace(512, 32, "1SFB"),
            ]),
        DeviceSignature(["bfs"], "an SCO BFS file system", [SignaturePlace(0, 0, [0xce, 0xfa, 0xad, 0x1b])]),
        DeviceSignature(["hpfs"], "an HPFS file system", [SignaturePlace(8 << 10, 0, [0x49, 0xe8, 0x95, 0xf9])]),
        DeviceSignature(["nss"], "a NetWare file system", [SignaturePlace(4 << 10, 0, "SPB5")]),
        DeviceSignature(
            ["vxfs"], "a VxFS file system",
            [
                SignaturePlace(1 << 10, 0, [0xf5, 0xfc, 0x01, 0xa5]),
                SignaturePlace(8 << 10, 0, [0xa5, 0x01, 0xfc, 0xf5]),
            ]),
        DeviceSignature(["ufs"], "a UFS file system", ufsPlaces),
        DeviceSignature(["sysv"], "a System V file system", systemVPlaces),
        DeviceSignature(
            ["xenix"], "a Xenix file system",
            [
                SignaturePlace(1024, 0x3f8, [0x44, 0x55, 0x2b, 0]), SignaturePlace(1024, 0x3f8, [0, 0x2b, 0x55, 0x44]),
                // libblkid looks eight bytes further.
                SignaturePlace(1024, 0x400, [0x44, 0x55, 0x2b, 0]), SignaturePlace(1024, 0x400, [0x2b, 0x55, 0x44, 0]),
            ]),
        DeviceSignature(["exfs"], "an ExFS file system", [SignaturePlace(0, 0, "EXFS")]),
        DeviceSignature(["mpool"], "a part of an mpool", [SignaturePlace(0, 0, "mpoolDev")]),
        DeviceSignature(
            ["VMFS"], "a VMFS file system", [SignaturePlace(2 << 20, 0, [0x5e, 0xf1, 0xab, 0x2f])]),
    ]

    /// The identifiers of a volume stand in each 2 KiB, or in each block, from 32 KiB on.
    private static let isoPlaces = [SignaturePlace(0x8000, 1, "CD001"), SignaturePlace(0x8000, 9, "CDROM")]

    private static let udfPlaces =
        stride(from: UInt64(0x8000), to: 0x20000, by: 2048).flatMap {
            [SignaturePlace($0, 1, "NSR02"), SignaturePlace($0, 1, "NSR03")]
        } + (["BEA01", "BOOT2", "CDW02", "TEA01"] as [Magic]).map { SignaturePlace(0x8000, 1, $0) }

    private static let minixPlaces =
        ([[0x7f, 0x13], [0x8f, 0x13], [0x68, 0x24], [0x78, 0x24]] as [Magic]).flatMap {
            [SignaturePlace(1024, 16, $0), SignaturePlace(1024, 16, $0.reversed)]
        } + [SignaturePlace(1024, 24, [0x5a, 0x4d]), SignaturePlace(1024, 24, [0x4d, 0x5a])]

    private static let ufsPlaces = [UInt64(0), 8 << 10, 64 << 10, 256 << 10].flatMap { start in
        ([
            [0x00, 0x01, 0x19, 0x54], [0x19, 0x54, 0x01, 0x19], [0x00, 0x19, 0x56, 0x12], [0x00, 0x09, 0x50, 0x14],
            [0x00, 0x61, 0x21, 0x95], [0x05, 0x23, 0x19, 0x94],
        ] as [Magic]).flatMap {
            [SignaturePlace(start, 0x55c, $0), SignaturePlace(start, 0x55c, $0.reversed)]
        }
    }

    private static let systemVPlaces = [UInt64(0), 9, 15, 18].flatMap { block in
        [
            SignaturePlace(block << 10 + 512, 0x1f8, [0xfd, 0x18, 0x7e, 0x20]),
            SignaturePlace(block << 10 + 512, 0x1f8, [0x20, 0x7e, 0x18, 0xfd]),
        ]
    }
}

extension Magic {
    static let bcachefs: Magic = [
        0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9, 0xd9, 0x6a, 0x60, 0xcf, 0x80, 0x3d, 0xf7, 0xef,
    ]
}
