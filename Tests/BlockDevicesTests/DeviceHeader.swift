import Testing

/// As few bytes of a header as libblkid takes for the whole, for content that no program of Debian makes, or none without
/// a kernel.
struct DeviceHeader: Sendable, CustomTestStringConvertible {
    /// libblkid's name.
    let name: String
    let size: Int64
    /// Bytes and their offsets; negative offsets count from the end.
    let parts: [(offset: Int64, bytes: [UInt8])]
    /// The words for content that libblkid does not know.
    let description: String?
    /// Whether a libblkid of today knows this header.
    let isKnownToLibblkid: Bool

    var testDescription: String { description ?? name }

    private init(
        _ name: String, size: Int64 = 64 << 20, description: String? = nil, isKnown: Bool = true,
        _ parts: [(Int64, Part)]
    ) {
        (self.name, self.size, self.description) = (name, size, description)
        self.parts = parts.map { (offset: $0.0, bytes: $0.1.bytes) }
        isKnownToLibblkid = isKnown && description == nil
    }

    /// Text or numbers.
    struct Part: ExpressibleByStringLiteral, ExpressibleByArrayLiteral {
        let bytes: [UInt8]
        init(stringLiteral text: String) { bytes = Array(text.utf8) }
        init(arrayLiteral bytes: UInt8...) { self.bytes = bytes }
        init(_ bytes: [UInt8]) { self.bytes = bytes }
    }

    static let all: [DeviceHeader] = filesystems + volumes + raidMembers + partitionTables + unknownToLibblkid

    private static let filesystems = [
        // Block size, type and subtype of the container's superblock.
        DeviceHeader("apfs", [(24, [1]), (32, "NXSB"), (37, [0x10])]),
        DeviceHeader("bcachefs", [(4096 + 24, Part(Magic.bcachefs))]),
        DeviceHeader("bcachefs", [((2 << 20) + 24, Part(Magic.bcachefs))]),
        DeviceHeader("bcachefs", [(24 - (1 << 20), Part(Magic.bcachefs))]),
        DeviceHeader("befs", isKnown: false, [(32, "1SFB")]), DeviceHeader("befs", isKnown: false, [(544, "BFS1")]),
        DeviceHeader("exfs", isKnown: false, [(0, "EXFS")]),
        DeviceHeader("gfs", [(65536, [1, 0x16, 0x19, 0x70]), (65560, [0, 0, 5, 0x1d, 0, 0, 5, 0x79])]),
        DeviceHeader("hfs", [(1024, "BD"), (1024 + 22, [0x10])]),
        DeviceHeader("hfsplus", [(1024, [0x48, 0x2b, 0, 4]), (1024 + 42, [0x10])]),
        DeviceHeader("hfsplus", [(1024, [0x48, 0x58, 0, 5]), (1024 + 42, [0x10])]),
        DeviceHeader("hpfs", [(8192, [0x49, 0xe8, 0x95, 0xf9]), (0x2200, [0x49, 0x18, 0x91, 0xf9])]),
        DeviceHeader("mpool", [(0, "mpoolDev")]), DeviceHeader("nss", [(4096, "SPB5")]),
        DeviceHeader("ocfs", [(8192, "OracleCFS")]), DeviceHeader("ReFS", [(0, "\0\0\0ReFS\0")]),
        DeviceHeader("nilfs2", isKnown: false, [(1024, [2, 0, 0, 0, 0, 0, 0x34, 0x34, 0x18, 1])]),
        DeviceHeader("scoutfs_meta", [(65536 + 4, [0x8b, 0x42, 0x3c, 0x10])]),
        DeviceHeader("squashfs3", [(0, "sqsh"), (28, [0, 3])]),
        DeviceHeader("sysv", [(1016, [0x20, 0x7e, 0x18, 0xfd])]),
        DeviceHeader("sysv", [(18 * 1024 + 1016, [0xfd, 0x18, 0x7e, 0x20])]),
        DeviceHeader("ubifs", [(0, [0x31, 0x18, 0x10, 0x06])]),
        DeviceHeader("ufs", [(8192 + 1372, [0x54, 0x19, 0x01, 0x00])]),
        DeviceHeader("ufs", [(65536 + 1372, [0x19, 0x54, 0x01, 0x19])]),
        DeviceHeader("VMFS", [(2 << 20, [0x5e, 0xf1, 0xab, 0x2f])]),
        DeviceHeader("vxfs", [(1024, [0xf5, 0xfc, 0x01, 0xa5])]),
        DeviceHeader("vxfs", [(8192, [0xa5, 0x01, 0xfc, 0xf5])]),
        DeviceHeader("xenix", [(2048, [0x44, 0x55, 0x2b])]),
        DeviceHeader("xenix", isKnown: false, [(2040, [0x44, 0x55, 0x2b, 0])]),
        DeviceHeader("zonefs", [(0, "SFOZ")]),
        // A FAT file system without the words for it, as of old floppy disks.
        DeviceHeader(
            "vfat", size: 1440 << 10,
            [
                (0, [0xeb, 0x3c, 0x90]), (11, [0, 2, 1, 1, 0, 2, 0xe0, 0, 0x40, 0x0b, 0xf0, 9, 0]),
                (510, [0x55, 0xaa]),
            ]),
    ]

    private static let volumes = [
        DeviceHeader("BitLocker", isKnown: false, [(0, Part([0xeb, 0x58, 0x90] + Array("-FVE-FS-".utf8)))]),
        DeviceHeader("ceph_bluestore", [(0, "bluestore block device")]),
        DeviceHeader("cs_fvault2", isKnown: false, [(8, [1, 0, 0x10]), (88, [0x43, 0x53, 1])]),
        DeviceHeader("drbd", [(60 - 4096, [0x83, 0x74, 0x02, 0x6d]), (82 - 4096, [0x10])]),
        DeviceHeader("drbdmanage_control_volume", isKnown: false, [(0, "$DRBDmgr=q")]),
        DeviceHeader("drbdproxy_datalog", isKnown: false, [(0, "DRBDdlh*")]),
        DeviceHeader("DM_integrity", [(0, "integrt\0"), (8, [1])]), DeviceHeader("DM_snapshot_cow", [(0, "SnAp")]),
        DeviceHeader("LVM1_member", [(0, "HM"), (2, [1])]),
        DeviceHeader("LVM2_member", [(512, "LABELONE"), (520, [1]), (532, [0x20]), (536, "LVM2 001")]),
        DeviceHeader(
            "opensvc_hb", isKnown: false, [(4, [0x3d, 0xc1, 0x3c, 0x87, 0xc0, 0x5b, 0xe3, 0xb6])]),
        DeviceHeader("oracleasm", [(32, "ORCLDISK")]),
        DeviceHeader("stratis", isKnown: false, [(516, Part(Magic.stratis))]),
        DeviceHeader("stratis", isKnown: false, [(4612, Part(Magic.stratis))]),
        DeviceHeader("swsuspend", [(4086, "S1SUSPEND")]), DeviceHeader("swsuspend", [(4086, "LINHIB0001")]),
        DeviceHeader("swsuspend", [(0, [0xed, 0xc3, 0x02, 0xe9, 0x98, 0x56, 0xe5, 0x0c])]),
        DeviceHeader("ubi", [(0, "UBI#")]), DeviceHeader("vdo", [(0, "dmvdo001")]),
        DeviceHeader("VMFS_volume_member", [(1 << 20, [0x0d, 0xd0, 0x01, 0xc0])]),
        // Records of the first label, and of the last.
        DeviceHeader(
            "zfs_member", isKnown: false, (0..<8).map { ((128 << 10) + $0 << 10, [0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0]) }),
        DeviceHeader(
            "zfs_member", isKnown: false,
            (0..<8).map { ($0 << 10 - (128 << 10), [0, 0, 0, 0, 0, 0xba, 0xb1, 0x0c]) }),
    ]

    private static let raidMembers = [
        DeviceHeader("adaptec_raid_member", [(-512, [0x37, 0xfc, 0x4d, 0x1e]), (-256, "DPTM")]),
        DeviceHeader("ddf_raid_member", [(-512, [0xde, 0x11, 0xde, 0x11])]),
        DeviceHeader("ddf_raid_member", [(-257 * 512, [0xde, 0x11, 0xde, 0x11])]),
        DeviceHeader("hpt37x_raid_member", [(4640, [0xf0, 0x16, 0x78, 0x5a])]),
        DeviceHeader("hpt45x_raid_member", [(-11 * 512, [0xf3, 0x16, 0x78, 0x5a])]),
        DeviceHeader("isw_raid_member", [(-1024, "Intel Raid ISM Cfg Sig. 1.3.00")]),
        DeviceHeader("isw_raid_member", isKnown: false, [(-8192, "Intel Raid ISM Cfg Sig. 1.3.00")]),
        // The second word makes the sum zero.
        DeviceHeader("jmicron_raid_member", [(-512, "JM"), (-508, [0xb6, 0xb2])]),
        DeviceHeader("lsi_mega_raid_member", [(-512, "$XIDE$")]),
        DeviceHeader("nvidia_raid_member", [(-1024, "NVIDIA  "), (-1016, [30])]),
        DeviceHeader("promise_fasttrack_raid_member", [(-63 * 512, "Promise Technology, Inc.")]),
        DeviceHeader("promise_fasttrack_raid_member", [(-3087 * 512, "Promise Technology, Inc.")]),
        DeviceHeader("silicon_medley_raid_member", [(-512 + 0x60, [0, 0, 0, 0x2f])]),
        DeviceHeader("via_raid_member", [(-512, [0x55, 0xaa, 1]), (-512 + 50, [0])]),
        // Version 0.90 in both orders of bytes; 1.0, 1.1 and 1.2, which say where they are.
        DeviceHeader("linux_raid_member", [(-65536, [0xfc, 0x4e, 0x2b, 0xa9, 0, 0, 0, 0, 90])]),
        DeviceHeader("linux_raid_member", size: (64 << 20) + 512, [(-66048, [0xa9, 0x2b, 0x4e, 0xfc])]),
        DeviceHeader("linux_raid_member", [(-8192, [0xfc, 0x4e, 0x2b, 0xa9, 1]), (-8048, [0xf0, 0xff, 1])]),
        DeviceHeader("linux_raid_member", [(0, [0xfc, 0x4e, 0x2b, 0xa9, 1])]),
        DeviceHeader("linux_raid_member", [(4096, [0xfc, 0x4e, 0x2b, 0xa9, 1]), (4240, [8])]),
    ]

    private static let partitionTables = [
        DeviceHeader("aix", [(0, [0xc9, 0xc2, 0xd4, 0xc1])]),
        DeviceHeader("bsd", isKnown: false, [(64, [0x57, 0x45, 0x56, 0x82])]),
        DeviceHeader("dasd", isKnown: false, [(8196, [0xe5, 0xd6, 0xd3, 0xf1])]),
        DeviceHeader("dasd", isKnown: false, [(1024, [0xd3, 0xd5, 0xe7, 0xf1])]),
        DeviceHeader("gpt", isKnown: false, [(4096, "EFI PART")]),
        DeviceHeader("gpt", isKnown: false, [(-4096, "EFI PART")]),
        DeviceHeader("solaris", [(524, [0xee, 0xde, 0x0d, 0x60, 1])]),
        DeviceHeader("ultrix", [(16312, [0x57, 0x29, 0x03, 0, 1])]),
        DeviceHeader("unixware", isKnown: false, [(14852, [0x0d, 0x60, 0x5e, 0xca])]),
        DeviceHeader("mac", [(0, [0x45, 0x52, 2]), (512, "PM")]),
    ]

    private static let unknownToLibblkid = [
        DeviceHeader("dm-clone", description: "the metadata of a dm-clone", [(32, [0x64, 0x7f, 0xf2, 0x8a])]),
        DeviceHeader("dm-writecache", description: "a dm-writecache", [(0, [0x21, 0x93, 0x48, 0x23])]),
        DeviceHeader("dm-zoned", description: "a dm-zoned device", [(0, "DBZD")]),
        DeviceHeader("geom", description: "a FreeBSD GEOM device", [(-512, "GEOM::MIRROR")]),
    ]

    private enum Magic {
        static let bcachefs: [UInt8] = [
            0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9, 0xd9, 0x6a, 0x60, 0xcf, 0x80, 0x3d, 0xf7, 0xef,
        ]
        static let stratis: [UInt8] = Array("!Stra0tis".utf8) + [0x86, 0xff, 0x02, 0x5e, 0x41, 0x72, 0x68]
    }
}
