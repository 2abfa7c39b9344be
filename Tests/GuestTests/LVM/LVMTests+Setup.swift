import SystemPackage
import TestSupport

extension LVMTests {
    /// Devices with content or users are left alone.
    func leavesAloneWhatIsInUse() throws {
        try shell.run("mkfs.xfs -q /dev/ubda")
        checks.check(
            "a file system is named and left alone",
            try layer.words("\(Self.direct) init", "holds an XFS file system", "status 1").joined(separator: " "),
            "holds an XFS file system status 1")
        try shell.run("mkdir /run/mnt && mount /dev/ubda /run/mnt")
        checks.check(
            "a mounted device is not taken by force",
            Set(
                try layer.words("\(Self.direct) \(Self.force) init", "is in use", "the mount at /run/mnt", "status 1")
            ).sorted().joined(separator: " "), "is in use status 1 the mount at /run/mnt")
        try shell.run("umount /run/mnt && dmsetup create on-top --table '0 2048 linear /dev/ubda 0'")
        checks.check(
            "nor one with a mapping on it",
            try layer.words("\(Self.direct) \(Self.force) init", "is in use by mapped device on-top", "status 1")
                .joined(separator: " "), "is in use by mapped device on-top status 1")
        try shell.run("dmsetup remove on-top && vgcreate -qq -y elsewhere /dev/ubdb")
        checks.check(
            "nor is another volume group's without force",
            try layer.words(
                "\(Self.options) --storage-opt dm.directlvm_device=/dev/ubdb init", "holds an LVM physical volume",
                "status 1"
            ).joined(separator: " "), "holds an LVM physical volume status 1")
        try shell.run("vgremove -qq elsewhere && pvremove -qq /dev/ubdb")
    }

    /// Our group, seen by lvm2.
    func sharesItsGroup() throws {
        checks.check("force takes what nobody uses", try layer("\(Self.direct) \(Self.force) init"), "")
        checks.check(
            "Docker's file about it is there", try shell.output("jq -c . '\(layer.root)/setup-config.json'"),
            #"{"AutoExtendPercent":0,"AutoExtendThreshold":0,"Device":"/dev/ubda","ThinpMetaPercent":0,"#
                + #""ThinpPercent":0}"#)
        checks.check(
            "the profile is there",
            try TextFile.read("/run/etc-lvm/profile/docker-thinpool.profile").joinedWords,
            "activation { thin_pool_autoextend_threshold=80 thin_pool_autoextend_percent=20 }")
        try checkWithLVM2("after our setup")
        checks.check(
            "its sizes are Docker's", try sizes(),
            "[lvol0_pmspare] 40960 [thinpool_tdata] 3973120 [thinpool_tmeta] 40960 thinpool 3973120")
        checks.check(
            "the settings are those of the profile",
            try report("lvs --noheadings -o lv_profile,zero,chunk_size,lv_attr docker/thinpool"),
            "docker-thinpool 512.00k twi-a-t---")
    }

    func activatesInTurns() throws {
        try layer("create kept")
        try TextFile.write("before\n", to: FilePath(try layer("mount kept")).appending("file"))
        try layer("unmount kept")
        let ours = try devices()
        checks.check(
            "init again changes nothing",
            together(try layer("\(Self.direct) init"), try report("vgs --noheadings -o seqno docker")), "1")
        checks.check(
            "other options are refused",
            try layer.words(
                "\(Self.direct) --storage-opt dm.thinp_percent=90 --storage-opt dm.thinp_metapercent=2 init",
                "they cannot change", "status 1"
            ).joined(separator: " "), "they cannot change status 1")
        try layer("shutdown")
        checks.check(
            "deactivation removes every device", together(try layer("pool deactivate"), try devices()), "")
        checks.check("lvm2 activates", try quiet("lvchange -ay docker/thinpool"), "")
        checks.check("names, uuids and tables are lvm2's to the letter", ours, try devices())
        checks.check("the layer is there", try layer.content(of: "file", in: "kept"), "before")
        try layer("shutdown")
        checks.check(
            "lvm2 deactivates", together(try quiet("lvchange -an docker/thinpool"), try devices()), "")
        checks.check(
            "a command that needs the pool activates it", try layer.content(of: "file", in: "kept"), "before")
        checks.check("as lvm2 does", try devices(), ours)
        try layer("shutdown")
        checks.check(
            "lvm2 deactivates what we activated",
            together(try quiet("lvchange -an docker/thinpool"), try devices(), try shell.output("ls /dev/mapper")),
            "control")
        checks.check(
            "pool activate says where the pool is",
            together(try layer("pool activate"), try layer("pool activate --pool docker/thinpool")),
            "/dev/mapper/docker-thinpool\n/dev/mapper/docker-thinpool")
    }

    /// The setup of direct-lvm completes an interrupted setup.
    func completesSetups() throws {
        try shell.run("pvcreate -qq /dev/ubda")
        checks.check("a physical volume that no group has is taken", try layer("\(Self.direct) init"), "")
        try layer("shutdown")
        try layer("pool deactivate")
        try shell.run("rm -rf '\(layer.root)'")
        checks.check(
            "a setup that was completed is found again",
            try layer.words("\(Self.direct) init", "is not new", "status 1").joined(separator: " "),
            "is not new status 1")
        try layer("pool deactivate --pool docker/thinpool")
        try clearDisks()
    }
}
