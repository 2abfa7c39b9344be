import SystemPackage
import TestSupport

/// lvm2 checks and repairs its pools with dmlayer under the names of thin-provisioning-tools.
extension LVMTests {
    private static let tools = ["thin_check", "thin_dump", "thin_repair"]

    /// Puts programs in lvm2's configuration that note each call.
    private func putToolsInForce() throws {
        try shell.run("mkdir -p /run/tools/bin")
        var settings = ""
        for tool in Self.tools {
            try shell.run("ln -sf '\(layer.program)' /run/tools/bin/\(tool)")
            try TextFile.write(
                """
                #!/bin/sh
                echo "\(tool) $*" >> /run/tools/calls
                exec /run/tools/bin/\(tool) "$@"

                """, to: FilePath("/run/tools/\(tool)"))
            settings += " \(tool)_executable=\"/run/tools/\(tool)\""
        }
        try shell.run("chmod +x /run/tools/thin_*")
        try TextFile.write(try TextFile.read(Self.configuration) + "global {\(settings) }\n", to: Self.configuration)
    }

    /// The names of the tools that lvm2 has called since the last question.
    private func calls() throws -> String {
        try shell.output("cut -d ' ' -f 1 /run/tools/calls | sort -u; rm -f /run/tools/calls").joinedWords
    }

    /// Overwrites the block of the metadata that the superblock names at an offset, with zeros.
    ///
    /// lvm2 activates the metadata alone for reading only, so the zeros are written to the disk below it.
    private func damage(_ offset: Int) throws {
        try shell.run(
            """
            set -e
            lvchange -qq -y -ay docker/pool_tmeta
            block=$(od -A n -t u8 -j \(offset) -N 8 /dev/mapper/docker-pool_tmeta | tr -d ' ')
            start=$(dmsetup table docker-pool_tmeta | cut -d ' ' -f 5)
            lvchange -qq -an docker/pool_tmeta
            dd if=/dev/zero of=/dev/ubda bs=4096 seek=$((start / 8 + block)) count=1 oflag=direct conv=notrunc status=none
            """)
    }

    func checksAndRepairsLVM2sPools() throws {
        let plain = try TextFile.read(Self.configuration)
        try putToolsInForce()
        checks.check(
            "lvm2 makes a pool with a spare for its metadata",
            try shell.everything(
                """
                vgcreate -qq -y docker /dev/ubda
                lvcreate -qq -y --type thin-pool -L 400m --poolmetadatasize 8m --poolmetadataspare y -n pool docker
                lvcreate -qq -y -V 200m --thinpool pool -n volume docker
                mkfs.ext4 -q /dev/mapper/docker-volume && mkdir -p /run/volume && mount /dev/mapper/docker-volume /run/volume
                head -c 30M /dev/urandom > /run/volume/data && sha256sum /run/volume/data > /run/tools/sum
                lvcreate -qq -y -s -n copy docker/volume
                umount /run/volume && lvchange -qq -an docker
                """), "")
        _ = try calls()
        checks.check(
            "its activation is checked by ours", together(try quiet("lvchange -ay docker/volume"), try calls()),
            "thin_check")
        try shell.run("lvchange -qq -an docker")
        // The tree of the bitmaps of the data blocks; the mappings are whole.
        try damage(80)
        try repairsADamagedPool()
        try shell.run("vgremove -qq -ff -y docker")
        try TextFile.write(plain, to: Self.configuration)
        try clearDisks()
    }

    private func repairsADamagedPool() throws {
        let refusal = try shell.everything("lvchange -ay docker/volume")
        checks.check(
            "a damaged pool is not activated",
            "\(count("Check of pool docker/pool failed", in: refusal)) \(try shell.output("dmsetup ls | grep -c pool"))",
            "1 0")
        _ = try calls()
        let repair = try shell.everything("lvconvert -y --repair docker/pool")
        checks.check("lvconvert --repair repairs it", count("status ", in: repair) == 0)
        checks.check("with our programs", try calls().contains("thin_repair"))
        checks.check(
            "it is activated, the file is there, and the file system whole",
            together(
                try quiet("lvchange -ay docker/volume"),
                try shell.everything("e2fsck -fn /dev/mapper/docker-volume > /dev/null 2>&1"),
                try shell.everything(
                    """
                    mount -o ro /dev/mapper/docker-volume /run/volume && sha256sum --quiet -c /run/tools/sum
                    umount /run/volume
                    """)), "")
        try checkWithLVM2("after the repair")
        checks.check(
            "the old metadata is kept as a volume",
            try report("lvs --noheadings -o lv_name docker | grep -c meta0"), "1")
    }
}
