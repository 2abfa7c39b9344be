import SystemCalls
import SystemPackage
import TestSupport

extension LVMTests {
    /// lvm2 and dmlayer make the pool larger, while it is in use.
    func extendsInTurns() throws {
        let mounted = try layer("mount kept")
        checks.check(
            "lvm2 extends the group and the pool",
            together(
                try quiet("vgextend docker /dev/ubdb"), try quiet("lvextend -l+100%FREE -n docker/thinpool")), "")
        checks.check("we see it", try total("data"), "\(6_193_152 * 512)")
        checks.check(
            "we extend both", try layer("pool extend --metadata 8m /dev/ubdc"),
            "docker/thinpool has 1.053GB more for data and 8.389MB more for metadata; 0B of the volume group are free")
        checks.check(
            "the kernel has it", "\(try total("data")) \(try total("metadata"))",
            "\((6_193_152 + 251 * 8192) * 512) \(57_344 * 512)")
        try checkWithLVM2("after our extension")
        checks.check(
            "lvm2 sees it", try sizes(),
            "[lvol0_pmspare] 57344 [thinpool_tdata] 8249344 [thinpool_tmeta] 57344 thinpool 8249344")
        checks.check(
            "the layer works on",
            try shell.everything("echo after > '\(mounted)/file2'; cat '\(mounted)/file' '\(mounted)/file2'")
                .joinedWords, "before after")
        try layer("unmount kept")
        let ours = try devices()
        try layer("shutdown")
        checks.check(
            "lvm2 activates the extended pool with the same tables",
            together(
                try quiet("lvchange -an docker/thinpool"), try quiet("lvchange -ay docker/thinpool"), try devices()),
            ours)
        _ = try quiet("lvchange -an docker/thinpool")
        checks.check(
            "lvm2 repairs the pool",
            try shell.output("lvconvert -y --repair docker/thinpool 2>&1 | grep -v WARNING | grep -ic error"), "0")
        checks.check("and we read the layer", try layer.content(of: "file2", in: "kept"), "after")
        try checkWithLVM2("after its repair")
        try layer("shutdown")
        _ = try quiet("lvchange -an docker/thinpool")
    }

    /// A damaged copy on one of three disks: the others are read, and nothing is written.
    func readsBesideDamage() throws {
        try shell.run(
            """
            dd if=/dev/ubdb of=/run/saved bs=4096 skip=1 count=1 status=none
            printf x | dd of=/dev/ubdb bs=1 seek=4200 conv=notrunc,fsync status=none
            """)
        checks.check(
            "with one damaged copy the pool is activated", try layer.content(of: "file2", in: "kept"), "after")
        checks.check(
            "and not changed",
            Set(try layer.words("pool extend --metadata 4m", "is damaged", "status 1")).sorted()
                .joined(separator: " "), "is damaged status 1")
        try shell.run("dd if=/run/saved of=/dev/ubdb bs=4096 seek=1 conv=notrunc,fsync status=none")
        try layer("shutdown")
        _ = try quiet("lvchange -an docker/thinpool")
        try shell.run("printf x | dd of=/dev/ubdb bs=1 seek=540 conv=notrunc,fsync status=none")
        checks.check(
            "with a damaged label a device is missing",
            try layer.words("pool activate", "no device has the physical volume", "status 1").joined(separator: " "),
            "no device has the physical volume status 1")
        try clearDisks()
    }

    /// The text of the group on the first disk that is in force.
    private func text() throws -> [Substring] {
        try shell.output(
            """
            dd if=/dev/ubda bs=1 skip=$((4096 + $(od -An -t u8 -j 4136 -N 8 /dev/ubda))) count=4096 | tr -d '\\0'
            """
        ).lines
    }

    /// lvm2's group, made as Docker's page says.
    func takesLVM2sGroup() throws {
        _ = try shell.everything(
            """
            pvcreate -qq /dev/ubda
            vgcreate -qq docker /dev/ubda
            lvcreate -qq --wipesignatures y -n thinpool docker --extents 95%VG
            lvcreate -qq --wipesignatures y -n thinpoolmeta docker --extents 1%VG
            lvconvert -qq -y --zero n -c 512K --thinpool docker/thinpool --poolmetadata docker/thinpoolmeta
            lvchange -qq --metadataprofile docker-thinpool docker/thinpool
            """)
        checks.check(
            "a store on lvm2's pool",
            together(
                try layer("\(Self.options) --storage-opt dm.thinpooldev=/dev/mapper/docker-thinpool init"),
                try layer("create kept")), "")
        try layer("shutdown")
        _ = try quiet("lvchange -an docker/thinpool")
        _ = try quiet("lvchange -ay docker/thinpool")
        let theirs = try devices()
        _ = try quiet("lvchange -an docker/thinpool")
        try layer("pool activate")
        checks.check("we activate it to the letter", try devices(), theirs)
        try shell.run("vgchange -qq --addtag kept docker")
        let before = try text().count
        checks.check(
            "we extend it", String(try layer("pool extend /dev/ubdb").prefix { $0 != ";" }),
            "docker/thinpool has 1.137GB more for data and 0B more for metadata")
        checks.check(
            "lvm2's tag stays, and the text has grown",
            "\(try report("vgs --noheadings -o vg_tags docker")) \(try text().count > before)", "kept true")
        try checkWithLVM2("in its own group after our extension")
    }

    /// A writer at full speed while the pool grows.
    func growsUnderLoad() throws {
        try layer("create big --size 2g")
        let file = try layer("mount big") + "/file"
        let writer = try ChildProcess("exec dd if=/dev/zero of='\(file)' bs=1M count=300 conv=fsync status=none")
        pause(for: .milliseconds(500))
        checks.check(
            "we extend under load", String(try layer("pool extend /dev/ubdc").prefix { $0 != ";" }),
            "docker/thinpool has 1.07GB more for data and 0B more for metadata")
        checks.check("the writer ends well", "\(try writer.wait(.seconds(200)) ?? -1)", "0")
        try layer("unmount big")
        try layer("shutdown")
        checks.check(
            "the pool's metadata is whole",
            together(
                try layer("pool deactivate"), try quiet("lvchange -ay docker/thinpool"),
                try quiet("lvchange -an docker/thinpool"), try devices()), "")
        try clearDisks()
    }
}
