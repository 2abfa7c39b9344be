import SystemPackage
import TestSupport

/// Which volume groups dmlayer uses, beside real lvm2.
extension LVMTests {
    /// lvm2's group docker with a small pool and free extents, not active.
    func makeSmallGroup(on disk: String) throws {
        _ = try shell.everything(
            """
            vgcreate -qq -y docker \(disk)
            lvcreate -qq --wipesignatures y -n thinpool docker -L 64m
            lvcreate -qq --wipesignatures y -n thinpoolmeta docker -L 4m
            lvconvert -qq -y --zero n -c 512K --thinpool docker/thinpool --poolmetadata docker/thinpoolmeta
            lvchange -an docker/thinpool
            """)
    }

    /// lvm2 puts a text in force that sed has changed.
    func rewrite(_ expression: String) throws {
        try shell.run(
            """
            vgcfgbackup -qq -f /run/group.vg docker > /dev/null
            sed -i '\(expression)' /run/group.vg
            vgcfgrestore -qq --yes --force -f /run/group.vg docker
            """)
    }

    /// The beginnings of all disks, and the ends, where second metadata areas are.
    private func sums() throws -> String {
        try shell.output("sync")
            + Self.disks.map { disk in
                try shell.output(
                    """
                    dd if=\(disk) bs=1M count=160 iflag=direct | md5sum
                    dd if=\(disk) bs=1M skip=$(($(blockdev --getsize64 \(disk)) / 1048576 - 2)) iflag=direct | md5sum
                    """)
            }.joined(separator: "\n")
    }

    /// Every command refuses the group docker on the third disk, and nothing is written.
    private func checkRefusals(_ kind: String, _ reason: String) throws {
        let before = try sums()
        let pool = "--pool docker/thinpool"
        let commands = [
            "pool activate \(pool)", "pool extend \(pool)", "pool extend \(pool) --metadata 4m",
            "pool extend \(pool) /dev/ubdb", "pool extend \(pool) --force /dev/ubdb",
            "\(Self.options) --storage-opt dm.thinpooldev=/dev/mapper/docker-thinpool init",
        ]
        var refused = 0
        for command in commands {
            let said = try layer(command)
            if said.contains(reason), said.contains("status 1") { refused += 1 } else { say("\(command): \(said)") }
        }
        try shell.run("rm -rf '\(layer.root)'")
        checks.check(
            "a group that is \(kind) is named and refused by each command", "\(refused) of \(commands.count)",
            "\(commands.count) of \(commands.count)")
        let device = "--storage-opt dm.directlvm_device="
        let said = try [
            "\(Self.options) \(device)/dev/ubdc init", "\(Self.options) \(device)/dev/ubdc \(Self.force) init",
            "\(Self.options) \(device)/dev/ubdb init",
        ].map { try layer($0) }.joined(separator: "\n")
        try shell.run("rm -rf '\(layer.root)'")
        checks.check(
            "nor is it made anew, or another of its name",
            "\(count("there is a volume group docker already", in: said))", "3")
        _ = try shell.everything(
            "timeout 3 '\(layer.program)' --root '\(layer.root)' pool monitor \(pool) --threshold 50")
        checks.check(
            "no disk has changed, and no device is there", together(try sums(), try devices()), before)
        try clearDisks()
    }

    func refusesGroupsOfOthers() throws {
        try makeSmallGroup(on: "/dev/ubdc")
        try rewrite(
            #"s/format = "lvm2".*/format = "lvm2"\nlock_type = "sanlock"\nlock_args = "1.0.0:lvmlock"/"#)
        try checkRefusals("shared with sanlock", "lock_type is sanlock")
        try makeSmallGroup(on: "/dev/ubdc")
        try rewrite(#"s/^\tstatus = \["RESIZEABLE"/\tstatus = ["CLUSTERED", "RESIZEABLE"/"#)
        try checkRefusals("clustered", "share it as a cluster")
        try makeSmallGroup(on: "/dev/ubdc")
        _ = try shell.everything("vgchange -qq -y --systemid elsewhere docker")
        try checkRefusals("another machine's", "it belongs to the machine “elsewhere”")
        try makeSmallGroup(on: "/dev/ubdc")
        try shell.run("vgexport -qq docker")
        try checkRefusals("exported", "it is exported")
    }

    /// A machine with a name has groups with its name; lvm2 and dmlayer write and read the same.
    func obeysTheSystemID() throws {
        let pool = "--pool docker/thinpool"
        let plain = try TextFile.read(Self.configuration)
        func name(_ machine: String) throws {
            let text = "global { system_id_source = \"lvmlocal\" }\nlocal { system_id = \"\(machine)\" }\n"
            try TextFile.write(plain + text, to: Self.configuration)
        }
        try name("here")
        try makeSmallGroup(on: "/dev/ubdc")
        checks.check(
            "a group of this machine's is activated", try layer("pool activate \(pool)"),
            "/dev/mapper/docker-thinpool")
        checks.check("and extended", count("more for data", in: try layer("pool extend \(pool) /dev/ubdb")) == 1)
        checks.check(
            "as lvm2 sees it",
            together(try quiet("vgck docker"), try report("vgs --noheadings -o vg_systemid,vg_attr docker")),
            "here wz--n-")
        try layer("pool deactivate \(pool)")
        try name("there")
        checks.check(
            "not by another one",
            try layer.words(
                "pool activate \(pool)", "it belongs to the machine “here”", "this one is “there”", "status 1"
            ).joined(separator: " "), "it belongs to the machine “here” this one is “there” status 1")
        try clearDisks()
        checks.check("a group that we make has the name", try layer("\(Self.direct) init"), "")
        checks.check(
            "and lvm2 is content with it",
            together(
                try quiet("vgck docker"), try quiet("pvck /dev/ubda"),
                try report(
                    "vgs --noheadings -o vg_systemid,vg_attr docker; lvs --noheadings -o lv_attr docker")),
            "there wz--n- twi-a-t---")
        try layer("shutdown")
        try layer("pool deactivate \(pool)")
        try TextFile.write(plain, to: Self.configuration)
        try layer("list")
        checks.check(
            "without a name it is another machine's",
            count("it belongs to the machine “there”", in: try layer("pool activate \(pool)")) == 1)
        try clearDisks()
    }
}
