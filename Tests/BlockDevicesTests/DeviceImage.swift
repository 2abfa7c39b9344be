import Testing

/// An image that the content's own program makes, in the file `image` of its working directory.
struct DeviceImage: Sendable, CustomTestStringConvertible {
    /// libblkid's name; `nil` when it does not know this content.
    let name: String?
    let description: String
    let size: Int64
    let command: String
    /// Whether `wipefs` shows it.
    let isListed: Bool

    var testDescription: String { "\(name ?? description): \(command)" }

    private init(_ name: String, _ command: String, size: Int64 = 64 << 20, isListed: Bool = true) {
        (self.name, description, self.size, self.command, self.isListed) = (name, "", size, command, isListed)
    }

    private init(description: String, _ command: String) {
        (name, self.description, size, self.command, isListed) = (nil, description, 64 << 20, command, false)
    }

    static let made: [DeviceImage] = filesystems + volumes + partitionTables

    private static let filesystems = [
        DeviceImage("ext2", "mke2fs -t ext2 -q image"), DeviceImage("ext3", "mke2fs -t ext3 -q image"),
        DeviceImage("ext4", "mke2fs -t ext4 -q image"),
        DeviceImage("ext4", "mke2fs -t ext4 -b 4096 -O ^metadata_csum -q image"),
        DeviceImage("jbd", "mke2fs -O journal_dev -q image"),
        DeviceImage("xfs", "mkfs.xfs -q image", size: 512 << 20),
        DeviceImage(
            "xfs_external_log", "truncate -s 512M data; mkfs.xfs -q -l logdev=image,size=64m data", size: 65 << 20),
        DeviceImage("btrfs", "mkfs.btrfs -q image", size: 256 << 20),
        DeviceImage("f2fs", "mkfs.f2fs -q image", size: 128 << 20),
        DeviceImage("nilfs2", "mkfs.nilfs2 -q image", size: 256 << 20),
        DeviceImage("ntfs", "mkntfs -Q -F -q image"), DeviceImage("vfat", "mkfs.vfat -F 12 image", size: 4 << 20),
        DeviceImage("vfat", "mkfs.vfat -F 16 image"), DeviceImage("vfat", "mkfs.vfat -F 32 image"),
        DeviceImage("vfat", "mkfs.vfat -S 4096 image"),
        DeviceImage("exfat", "mkfs.exfat image"), DeviceImage("jfs", "mkfs.jfs -q image"),
        DeviceImage("reiserfs", "mkreiserfs -q -f -f image"), DeviceImage("reiser4", "mkfs.reiser4 -y -f image"),
        DeviceImage("ocfs2", "mkfs.ocfs2 -q -b 4096 -M local -F image", size: 256 << 20),
        DeviceImage("ocfs2", "mkfs.ocfs2 -q -b 512 -M local -F image", size: 256 << 20),
        DeviceImage("gfs2", "mkfs.gfs2 -q -O -p lock_nolock image", size: 256 << 20),
        DeviceImage("udf", "mkudffs image"), DeviceImage("udf", "mkudffs --blocksize=4096 image"),
        DeviceImage("iso9660", "mkdir d; genisoimage -quiet -o image d"),
        DeviceImage("udf", "mkdir d; genisoimage -quiet -udf -o image d"),
        DeviceImage("squashfs", "mkdir d; rm image; mksquashfs d image -quiet"),
        DeviceImage("cramfs", "mkdir d; echo x >d/f; mkfs.cramfs d image; mkfs.cramfs -N big d image"),
        DeviceImage("erofs", "mkdir d; rm image; mkfs.erofs image d"),
        DeviceImage("romfs", "mkdir d; genromfs -f image -d d; truncate -s 64M image"),
        DeviceImage("minix", "mkfs.minix -1 image"), DeviceImage("minix", "mkfs.minix -2 -n 14 image"),
        DeviceImage("minix", "mkfs.minix -3 image"), DeviceImage("bfs", "mkfs.bfs image"),
    ]

    private static let volumes = [
        DeviceImage("swap", "mkswap image"), DeviceImage("swap", "mkswap --pagesize 65536 image"),
        DeviceImage(
            "crypto_LUKS", "echo secret >k; cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 image k"
        ),
        DeviceImage(
            "crypto_LUKS",
            "echo secret >k; cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 image k"
        ),
        DeviceImage(
            "crypto_LUKS",
            "echo secret >k; cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 image k;"
                + " dd if=/dev/zero of=image bs=4096 count=1 conv=notrunc"),
        DeviceImage("DM_verity_hash", "truncate -s 8M data; veritysetup format data image"),
        DeviceImage("bcache", "make-bcache --wipe-bcache -B image"),
        DeviceImage("bcache", "make-bcache --wipe-bcache -C image"),
        DeviceImage(
            "drbd", "echo yes | drbdmeta --force 0 v08 \"$PWD/image\" internal create-md", size: 128 << 20),
        DeviceImage(description: "the metadata of a thin pool", thin),
        DeviceImage(description: "the metadata of a dm-cache", cache),
        DeviceImage(description: "the metadata of a dm-era", era),
    ]

    private static let thin = """
        echo '<superblock uuid="" time="0" transaction="0" data_block_size="128" nr_data_blocks="16"></superblock>' >x
        thin_restore -q -i x -o image
        """
    private static let cache = """
        echo '<superblock uuid="" block_size="128" nr_cache_blocks="16" policy="smq" hint_width="4"><mappings></mappings>\
        <hints></hints></superblock>' >x; cache_restore -q -i x -o image
        """
    private static let era = """
        echo '<superblock uuid="" block_size="128" nr_blocks="16" current_era="1"><era_array></era_array></superblock>' >x
        era_restore -q -i x -o image
        """

    private static let partitionTables = [
        DeviceImage("dos", "echo 2048,8192,83 | sfdisk -q --label dos image"),
        DeviceImage("dos", "sfdisk -q --label dos image </dev/null; parted -s image mklabel msdos"),
        DeviceImage("gpt", "echo 2048,8192 | sfdisk -q --label gpt image"),
        DeviceImage(
            "gpt",
            "echo 2048,8192 | sfdisk -q --label gpt image; dd if=/dev/zero of=image bs=4096 count=16 conv=notrunc"),
        DeviceImage(
            "PMBR",
            "echo 2048,8192 | sfdisk -q --label gpt image; dd if=image of=b count=1; truncate -s 0 image;"
                + " truncate -s 64M image; dd if=b of=image conv=notrunc"),
        DeviceImage("sgi", "echo ,,83 | sfdisk -q --label sgi image"),
        DeviceImage("sun", "echo ,,83 | sfdisk -q --label sun image"),
        DeviceImage("mac", "parted -s image mklabel mac"),
        DeviceImage("bsd", "parted -s image mklabel bsd", isListed: false),
        DeviceImage("atari", "parted -s image mklabel atari mkpart primary 1M 20M"),
    ]
}
