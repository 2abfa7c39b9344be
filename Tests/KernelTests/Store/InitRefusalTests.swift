import SystemPackage
import TestSupport
import Testing

/// A first `init` that cannot work: it says why in one line, leaves nothing, and the right one on the same root works.
@Suite(.serialized) struct InitRefusalTests {
    /// A wrong `init`.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// The shell commands before the wrong `init`.
        var setUp = ""
        /// The storage options; the later ones are the ones that count.
        let options: String
        /// A part of its message.
        let message: String
        /// The words before the command, as those of another program that runs it.
        var within = ""
        /// The shell commands before the right `init`.
        var mend = ""

        init(
            _ name: String, _ options: String, _ message: String, setUp: String = "", within: String = "",
            mend: String = ""
        ) {
            testDescription = name
            self.options = options
            self.message = message
            self.setUp = setUp
            self.within = within
            self.mend = mend
        }
    }

    /// Makes a device on a file of `size` bytes, to which `$S/dev` is a link.
    private static func device(_ size: String, _ more: String = "") -> String {
        "truncate --size=\(size) $S/disk; ln -s $(losetup --find --show $S/disk) $S/dev; \(more)"
    }

    private static let pool = """
        truncate --size=16M $S/meta; truncate --size=1G $S/data
        m=$(losetup --find --show $S/meta); d=$(losetup --find --show $S/data)
        dmsetup create init-test-pool --table "0 2097152 thin-pool $m $d 128 0 1 skip_block_zeroing"
        """

    static let cases: [Case] = [
        // The pool.
        Case("a pool that is not there", "dm.thinpooldev=docker-thinpool", "is not active, and no volume group has it"),
        Case(
            "a path of one", "dm.thinpooldev=/dev/mapper/docker-thinpool",
            "is not active, and no volume group has it"),
        Case(
            "a pool that is a disk", "dm.thinpooldev=$S/dev", "is not active, and no volume group has it",
            setUp: device("1G")),
        Case(
            "a pool that is another mapping", "dm.thinpooldev=init-test-linear", "is not a thin pool",
            setUp: device("1G", "dmsetup create init-test-linear --table \"0 2048 linear $S/dev 0\"")),
        Case(
            "a pool in use", "dm.thinpooldev=init-test-pool", "is not new",
            setUp: pool + "\ndmsetup message init-test-pool 0 'set_transaction_id 0 7'"),
        Case(
            "a pool and devices", "dm.thinpooldev=init-test-pool dm.datadev=/dev/loop0", "give one or the other"),
        // The devices below a pool.
        Case("no data device", "dm.datadev=/dev/nowhere", "dm.datadev=/dev/nowhere cannot be used"),
        Case(
            "a file as data device", "dm.datadev=$S/file", "this is a regular file",
            setUp: "truncate --size=1G $S/file"),
        Case("no metadata device", "dm.metadatadev=/dev/nowhere", "dm.metadatadev=/dev/nowhere cannot be used"),
        Case(
            "a data device that is mounted", "dm.datadev=$S/dev", "is in use already by the mount",
            setUp: device("64M", "mkfs.ext4 -q $S/disk; mkdir $S/mounted; mount $S/dev $S/mounted")),
        Case(
            "a data device below a mapping", "dm.datadev=$S/dev", "is in use already by",
            setUp: device("1G", "dmsetup create init-test-linear --table \"0 2048 linear $S/dev 0\"")),
        Case(
            "a data device with a file system", "dm.datadev=$S/dev", "holds an XFS file system",
            setUp: device("400M", "mkfs.xfs -q $S/dev")),
        Case(
            "a metadata device with something", "dm.metadatadev=$S/dev", "holds data in its first 4096 bytes",
            setUp: device("16M", "echo something | dd of=$S/disk conv=notrunc status=none")),
        Case(
            "one device for both", "dm.datadev=$S/dev dm.metadatadev=$S/dev", "the same device",
            setUp: device("1G")),
        Case(
            "a data device below a block", "dm.datadev=$S/dev", "less than a block of the pool",
            setUp: device("32K")),
        Case(
            "a data device that is too small", "dm.datadev=$S/dev", "does not fit into the pool",
            setUp: device("8M")),
        Case("a small metadata device", "dm.metadatadev=$S/dev", "needs 2097152", setUp: device("1M")),
        // Sizes.
        Case("a base device below a sector", "dm.basesize=100b", "ext4 needs 16m at least"),
        Case("a base device that is too small", "dm.basesize=4m", "ext4 needs 16m at least"),
        Case("an XFS that is too small", "dm.fs=xfs dm.basesize=100m", "xfs needs 300m at least"),
        Case("half a sector", "dm.basesize=2.3g", "take 2469605888b or 2469606400b"),
        Case("a base device far beyond the pool", "dm.basesize=100t", "does not fit into the pool"),
        Case("a base device beyond the pool", "dm.basesize=200g dm.loopdatasize=200m", "does not fit into the pool"),
        Case(
            "a pool too small for XFS", "dm.fs=xfs dm.loopdatasize=40m dm.min_free_space=0%",
            "does not fit into the pool"),
        Case("a data file below a block", "dm.loopdatasize=32k", "the pool has blocks of 65536 bytes"),
        Case("a metadata file that is too small", "dm.loopmetadatasize=1m", "needs 2m at least"),
        Case("blocks of 100k", "dm.blocksize=100k", "in multiples of 64k"),
        Case("blocks of 2g", "dm.blocksize=2g", "a pool's blocks have 64k to 1g"),
        Case("no size", "dm.basesize=much", "a size is a number"),
        Case("too much to be kept free", "dm.loopdatasize=64m dm.basesize=64m dm.min_free_space=95%", "smaller values"),
        // mkfs and mount.
        Case("an argument that mkfs.ext4 has not", "dm.mkfsarg=-Z", "correct dm.mkfsarg=-Z, or leave it out"),
        Case("an argument that mkfs.xfs has not", "dm.fs=xfs dm.mkfsarg=-dnonsense=1", "or leave it out"),
        Case(
            "a mount option that ext4 has not", "dm.mountopt=nonsense",
            "ext4 cannot be mounted with dm.mountopt=nonsense"),
        Case("a mount option that XFS has not", "dm.fs=xfs dm.mountopt=nonsense", "xfs cannot be mounted with"),
        Case(
            "no mkfs", "dm.fs=ext4", "install the package e2fsprogs",
            within: "unshare --mount sh -c 'mount --bind /dev/null /usr/sbin/mkfs.ext4 && exec \"$@\"' sh"),
        Case("a file system that is none", "dm.fs=btrfs", "it is ext4 or xfs"),
        // Options.
        Case("an option that is none", "dm.basesise=1g", "did you mean “dm.basesize”?"),
        Case(
            "options that exclude each other", "dm.use_deferred_deletion=true dm.use_deferred_removal=false",
            "needs deferred removal"),
        Case("options without a device", "dm.thinp_percent=95", "name its device in dm.directlvm_device"),
        // The root.
        Case(
            "a dangling link", "", "is a symbolic link to nowhere, which does not exist",
            setUp: "ln -s nowhere $S/place/root", mend: "rm $S/place/root"),
        Case("a file as root", "", "is no directory", setUp: ": > $S/place/root", mend: "rm $S/place/root"),
        Case(
            "a root that is read-only", "", "Read-only file system",
            setUp: "mount -t tmpfs -o ro none $S/place", mend: "mount -o remount,rw $S/place"),
        Case(
            "a full disk", "", "No space left on device",
            setUp:
                "mount -t tmpfs -o size=64k none $S/place; dd if=/dev/zero of=$S/place/full bs=1k 2>/dev/null || true",
            mend: "rm $S/place/full; mount -o remount,size=1g $S/place"),
        Case(
            "a disk that becomes full", "", "has become full",
            setUp: "mount -t tmpfs -o size=6m none $S/place", mend: "mount -o remount,size=1g $S/place"),
        // direct-lvm.
        Case("no device for a volume group", "dm.directlvm_device=/dev/nowhere", "/dev/nowhere"),
        Case("a volume group of 3 MB", "dm.directlvm_device=$S/dev", "too few", setUp: device("3M")),
        Case(
            "a volume group of 12 MB", "dm.directlvm_device=$S/dev", "does not fit into the pool",
            setUp: device("12M")),
        Case(
            "a volume group of 40 MB", "dm.directlvm_device=$S/dev dm.fs=xfs", "does not fit into the pool",
            setUp: device("40M")),
        Case(
            "a volume group on a device in use", "dm.directlvm_device=$S/dev", "is in use",
            setUp: device("64M", "mkfs.ext4 -q $S/disk; mkdir $S/mounted; mount $S/dev $S/mounted")),
        Case(
            "a volume group on a file system", "dm.directlvm_device=$S/dev", "holds an ext2, ext3 or ext4 file system",
            setUp: device("64M", "mkfs.ext4 -q $S/disk")),
    ]

    @Test(arguments: cases) func leavesNothing(_ wrong: Case) throws {
        let fixture = try InitFixture()
        try fixture.shell(wrong.setUp)
        let before = try fixture.state()
        let content = try fixture.shell("cat $S/disk 2>/dev/null | cksum")
        let (status, output, time) = try fixture.initialize(
            "\(InitFixture.small) \(wrong.options)", within: wrong.within)
        #expect(status == 1, "\(output)")
        #expect(output.contains(wrong.message) && !output.contains("\n"), "\(output)")
        #expect(output.utf8.count < 900, "\(output)")
        // Twice what anybody should wait, since other tests run at the same time.
        #expect(time < .seconds(10), "\(time)")
        print("init: \(wrong.testDescription): \(time): \(output)")
        #expect(try fixture.state() == before)
        if !wrong.options.contains("=$S/dev") || wrong.setUp.contains("mkfs") {
            #expect(try fixture.shell("cat $S/disk 2>/dev/null | cksum") == content)
        }
        // A device that was empty is so again: a command that takes no other takes it.
        try fixture.shell("! test -e $S/dev || umount $S/mounted 2>/dev/null || true; \(wrong.mend)")
        try fixture.proveRight(InitFixture.small, wrong.testDescription)
    }
}
