extension DeviceSignature {
    /// The members of RAID arrays.
    static let raidMembers: [DeviceSignature] = [
        // Versions 0.90 and 1.0 at the end, 1.1 at the start, 1.2 behind 4 KiB.
        DeviceSignature(
            ["linux_raid_member"], "a part of a Linux RAID array",
            [
                SignaturePlace(0, 0, .linuxRAID), SignaturePlace(4096, 0, .linuxRAID),
                SignaturePlace(beforeEnd: 8192, unit: 4096, 0, .linuxRAID),
                SignaturePlace(beforeEnd: 64 << 10, unit: 64 << 10, 0, .linuxRAID),
                SignaturePlace(beforeEnd: 64 << 10, unit: 64 << 10, 0, .linuxRAID.reversed),
            ]),
        firmwareRAID("ddf_raid_member", [1, 257].map { lastSectors($0, [0xde, 0x11, 0xde, 0x11]) }),
        // Two sectors before the end, of 512 or of 4096 bytes.
        firmwareRAID(
            "isw_raid_member",
            [
                lastSectors(2, "Intel Raid ISM Cfg Sig. "),
                SignaturePlace(beforeEnd: 8192, unit: 4096, 0, "Intel Raid ISM Cfg Sig. "),
            ]),
        firmwareRAID("lsi_mega_raid_member", [lastSectors(1, "$XIDE$")]),
        firmwareRAID("via_raid_member", [lastSectors(1, [0x55, 0xaa])], isPlausible: isVIA),
        firmwareRAID(
            "silicon_medley_raid_member", [SignaturePlace(beforeEnd: 512, 0x60, [0, 0, 0, 0x2f])],
            isPlausible: { try $0.little(0x116, 1) < 8 }),
        firmwareRAID("nvidia_raid_member", [lastSectors(2, "NVIDIA  ")]),
        firmwareRAID(
            "promise_fasttrack_raid_member",
            [16, 63, 255, 256, 399, 591, 675, 735, 911, 951, 974, 991, 3087].map {
                lastSectors($0, "Promise Technology, Inc.")
            }),
        firmwareRAID(
            "hpt45x_raid_member",
            [lastSectors(11, [0xf3, 0x16, 0x78, 0x5a]), lastSectors(11, [0xfd, 0x16, 0x78, 0x5a])]),
        firmwareRAID(
            "hpt37x_raid_member",
            [
                SignaturePlace(4608, 32, [0xf0, 0x16, 0x78, 0x5a]), SignaturePlace(4608, 32, [0xfd, 0x16, 0x78, 0x5a]),
            ]),
        firmwareRAID(
            "adaptec_raid_member", [lastSectors(1, [0x37, 0xfc, 0x4d, 0x1e])], isPlausible: { try $0.has("DPTM", 256) }),
        firmwareRAID("jmicron_raid_member", [lastSectors(1, "JM")], isPlausible: isJMicron),
    ]

    /// An array of a controller or of the firmware; none of them fits on less than 64 KiB.
    private static func firmwareRAID(
        _ name: String, _ places: [SignaturePlace],
        isPlausible: @escaping @Sendable (SignedStructure) throws -> Bool = { _ in true }
    ) -> DeviceSignature {
        DeviceSignature(
            [name], "a part of a RAID array of the firmware's", minimumSize: 64 << 10, places, isPlausible: isPlausible)
    }

    private static func lastSectors(_ count: UInt64, _ magic: Magic) -> SignaturePlace {
        SignaturePlace(beforeEnd: count * 512, 0, magic)
    }

    /// The tables of partitioned disks.
    static let partitionTables: [DeviceSignature] = [
        // The second sector and the last, of 512 or of 4096 bytes.
        DeviceSignature(
            ["gpt"], "a GPT partition table",
            [
                SignaturePlace(512, 0, "EFI PART"), SignaturePlace(4096, 0, "EFI PART"), lastSectors(1, "EFI PART"),
                SignaturePlace(beforeEnd: 4096, unit: 4096, 0, "EFI PART"),
            ]),
        DeviceSignature(
            ["PMBR"], "a GPT partition table", [SignaturePlace(0, 510, [0x55, 0xaa])], isPlausible: isProtectiveTable),
        DeviceSignature(
            ["dos"], "a partition table", [SignaturePlace(0, 510, [0x55, 0xaa])], isPlausible: isPartitionTable),
        DeviceSignature(["aix"], "an AIX partition table", [SignaturePlace(0, 0, [0xc9, 0xc2, 0xd4, 0xc1])]),
        DeviceSignature(["sgi"], "an SGI partition table", [SignaturePlace(0, 0, [0x0b, 0xe5, 0xa9, 0x41])]),
        DeviceSignature(
            ["sun"], "a Sun partition table", [SignaturePlace(0, 508, [0xda, 0xbe])], isPlausible: isSunLabel),
        DeviceSignature(
            ["mac"], "an Apple partition map", [SignaturePlace(0, 0, "ER")], isPlausible: isApplePartitionMap),
        DeviceSignature(
            ["ultrix"], "an Ultrix partition table", [SignaturePlace(16312, 0, [0x57, 0x29, 0x03, 0, 1, 0, 0, 0])]),
        DeviceSignature(
            ["bsd"], "a BSD partition table",
            [512, 64, 128].map { SignaturePlace(0, $0, [0x57, 0x45, 0x56, 0x82]) }),
        DeviceSignature(
            ["unixware"], "a UnixWare partition table",
            [
                SignaturePlace(14848, 4, [0x0d, 0x60, 0x5e, 0xca]),
                // libblkid looks for other bytes in another place.
                SignaturePlace(14336, 14838, [0x0d, 0x60, 0xe5, 0xca]),
            ]),
        DeviceSignature(
            ["solaris"], "a Solaris partition table", [SignaturePlace(512, 12, [0xee, 0xde, 0x0d, 0x60])]),
        // The third block, of 512 to 4096 bytes; VOL1, LNX1 and CMS1 in EBCDIC.
        DeviceSignature(
            ["dasd"], "a DASD partition table",
            [UInt64(1024), 2048, 4096, 8192].flatMap {
                [
                    SignaturePlace($0, 4, [0xe5, 0xd6, 0xd3, 0xf1]), SignaturePlace($0, 0, [0xd3, 0xd5, 0xe7, 0xf1]),
                    SignaturePlace($0, 0, [0xc3, 0xd4, 0xe2, 0xf1]),
                ]
            }),
        DeviceSignature(["atari"], "an Atari partition table", [SignaturePlace(0, 0, [])], isPlausible: isAtariTable),
    ]
}

extension Magic {
    static let linuxRAID: Magic = [0xfc, 0x4e, 0x2b, 0xa9]
}
