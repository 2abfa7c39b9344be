extension DeviceSignature {
    /// Logical volumes, encryption, swap, caches, and the metadata of mapped devices.
    static let volumes: [DeviceSignature] = [
        DeviceSignature(
            ["LVM2_member"], "an LVM physical volume",
            stride(from: UInt64(0), to: 2048, by: 512).flatMap {
                [SignaturePlace($0, 0, "LABELONE"), SignaturePlace($0, 24, "LVM2 001")]
            }),
        DeviceSignature(
            ["LVM1_member"], "an LVM1 physical volume", [SignaturePlace(0, 0, "HM")],
            isPlausible: { try 1...2 ~= $0.little(2, 2) }),
        DeviceSignature(
            ["stratis"], "a Stratis device", [SignaturePlace(512, 4, .stratis), SignaturePlace(4608, 4, .stratis)]),
        DeviceSignature(["vdo"], "a VDO volume", [SignaturePlace(0, 0, "dmvdo001")]),
        DeviceSignature(["crypto_LUKS"], "a LUKS encrypted volume", luksPlaces),
        DeviceSignature(
            ["BitLocker"], "a BitLocker volume",
            [SignaturePlace(0, 3, "-FVE-FS-"), SignaturePlace(0, 424, bitLockerIdentifier)]),
        DeviceSignature(
            ["cs_fvault2"], "a FileVault volume", [SignaturePlace(0, 88, "CS")],
            isPlausible: { try $0.little(8, 2) == 1 && $0.little(90, 4) == 1 }),
        DeviceSignature(["swap"], "swap space", pageEndPlaces(["SWAPSPACE2", "SWAP-SPACE"])),
        DeviceSignature(
            ["swsuspend"], "a hibernated system",
            pageEndPlaces(["S1SUSPEND", "S2SUSPEND", "ULSUSPEND", "LINHIB0001"])
                + [SignaturePlace(0, 0, [0xed, 0xc3, 0x02, 0xe9, 0x98, 0x56, 0xe5, 0x0c])]),
        DeviceSignature(["bcache", "bcachefs"], "a bcache device", [SignaturePlace(4096, 24, .bcache)]),
        DeviceSignature(["zfs_member"], "a part of a ZFS pool", minimumSize: 64 << 20, zfsPlaces),
        DeviceSignature(["ceph_bluestore"], "a Ceph OSD", [SignaturePlace(0, 0, "bluestore block device")]),
        DeviceSignature(
            ["VMFS_volume_member"], "a part of a VMFS volume", [SignaturePlace(1 << 20, 0, [0x0d, 0xd0, 0x01, 0xc0])]),
        DeviceSignature(["oracleasm"], "an Oracle ASM disk", [SignaturePlace(0, 32, "ORCLDISK")]),
        DeviceSignature(["ubi"], "a UBI device", [SignaturePlace(0, 0, "UBI#")]),
        DeviceSignature(
            ["drbd"], "a DRBD device",
            ([0x6b, 0x6c, 0x6d] as [UInt8]).map {
                SignaturePlace(beforeEnd: 4096, unit: 1, 60, [0x83, 0x74, 0x02, $0])
            }),
        DeviceSignature(["drbdmanage_control_volume"], "a DRBD control volume", [SignaturePlace(0, 0, "$DRBDmgr=q")]),
        DeviceSignature(["drbdproxy_datalog"], "the log of a DRBD proxy", [SignaturePlace(0, 0, "DRBDdlh*")]),
        DeviceSignature(
            ["opensvc_hb"], "an OpenSVC heartbeat device",
            [SignaturePlace(0, 4, [0x3d, 0xc1, 0x3c, 0x87, 0xc0, 0x5b, 0xe3, 0xb6])]),
        DeviceSignature(
            ["xfs_external_log"], "the log of an XFS file system", minimumSize: 10 << 20,
            stride(from: UInt64(0), to: 256 << 10, by: 512).map { SignaturePlace($0, 0, [0xfe, 0xed, 0xba, 0xbe]) },
            isPlausible: isXFSLog),
        DeviceSignature(["DM_snapshot_cow"], "a persistent snapshot", [SignaturePlace(0, 0, "SnAp")]),
        DeviceSignature(["DM_verity_hash"], "a dm-verity volume", [SignaturePlace(0, 0, "verity\0\0")]),
        DeviceSignature(["DM_integrity"], "a dm-integrity volume", [SignaturePlace(0, 0, "integrt\0")]),
        // libblkid does not know what follows. The numbers are those of the kernel's drivers.
        DeviceSignature(
            [], "the metadata of a thin pool", [SignaturePlace(0, 32, [0xba, 0x52, 0x9c, 0x01, 0, 0, 0, 0])]),
        DeviceSignature(
            [], "the metadata of a dm-cache", [SignaturePlace(0, 32, [0x03, 0xc4, 0x18, 0x00, 0, 0, 0, 0])]),
        DeviceSignature([], "the metadata of a dm-era", [SignaturePlace(0, 32, [0x7b, 0x07, 0xc1, 0x7e, 0, 0, 0, 0])]),
        DeviceSignature(
            [], "the metadata of a dm-clone", [SignaturePlace(0, 32, [0x64, 0x7f, 0xf2, 0x8a, 0, 0, 0, 0])]),
        DeviceSignature([], "a dm-writecache", [SignaturePlace(0, 0, [0x21, 0x93, 0x48, 0x23])]),
        DeviceSignature([], "a dm-zoned device", [SignaturePlace(0, 0, "DBZD")]),
        DeviceSignature([], "a FreeBSD GEOM device", [SignaturePlace(beforeEnd: 512, 0, "GEOM::")]),
    ]

    /// The second header of LUKS2 is as far behind the first as that is long, 16 KiB to 4 MiB.
    private static let luksPlaces =
        [SignaturePlace(0, 0, [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe])]
        + (14...22).map { SignaturePlace(1 << $0, 0, [0x53, 0x4b, 0x55, 0x4c, 0xba, 0xbe]) }

    /// The last ten bytes of the first page; pages have 4 to 64 KiB.
    private static func pageEndPlaces(_ magics: [Magic]) -> [SignaturePlace] {
        (12...16).flatMap { power in magics.map { SignaturePlace(0, 1 << power - 10, $0) } }
    }

    /// Two labels of 256 KiB at each end, with a ring of records in their second half that begin with one number.
    private static let zfsPlaces: [SignaturePlace] = {
        let label: UInt64 = 256 << 10
        let number: Magic = [0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0]
        let records = stride(from: label / 2, to: label, by: 1024)
        return [number, number.reversed].flatMap { magic in
            records.flatMap { record in
                [0, label].map { SignaturePlace($0, record, magic) }
                    + [2 * label, label].map { SignaturePlace(beforeEnd: $0, unit: label, record, magic) }
            }
        }
    }()
}

extension Magic {
    static let stratis: Magic = [
        0x21, 0x53, 0x74, 0x72, 0x61, 0x30, 0x74, 0x69, 0x73, 0x86, 0xff, 0x02, 0x5e, 0x41, 0x72, 0x68,
    ]
    static let bcache: Magic = [
        0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca, 0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81,
    ]
}
