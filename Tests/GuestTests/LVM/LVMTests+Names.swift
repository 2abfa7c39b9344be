import SystemPackage
import TestSupport

extension LVMTests {
    private static let pool = "--pool docker/thinpool"

    private func activates() throws -> String {
        together(try layer("pool activate \(Self.pool)"), try layer("pool deactivate \(Self.pool)"))
    }

    private func settings(_ devices: String) throws {
        try TextFile.write("devices { \(devices) scan=[\"/dev\"] }\n", to: Self.configuration)
    }

    /// Two groups of one name: a guest's disk has one too.
    func tellsGroupsOfOneNameApart() throws {
        checks.check(
            "the machine's own group", together(try layer("\(Self.direct) init"), try layer("create kept")), "")
        try layer("shutdown")
        try layer("pool deactivate \(Self.pool)")
        let plain = try TextFile.read(Self.configuration)
        let mine = try report("vgs --noheadings -o vg_uuid docker")
        let volume = try report("pvs --noheadings -o pv_uuid /dev/ubda").filter { $0 != "-" }
        try shell.run(
            #"""
            vgcreate -qq -y --config 'devices { filter = [ "a|/dev/ubdb$|", "r|.*|" ] }' docker /dev/ubdb
            """#)
        let refusal = Set(
            try layer.words(
                "pool activate \(Self.pool)", "2 volume groups named docker", "\(mine) on /dev/ubda", "status 1"))
        checks.check(
            "a guest's group of the same name is named with both uuids, and nothing is activated",
            together(refusal.sorted().joined(separator: " "), try devices()),
            ["2 volume groups named docker", "\(mine) on /dev/ubda", "status 1"].sorted().joined(separator: " "))
        try usesLVM2sFilters()
        try usesLVM2sDevicesFile(mine: mine, volume: volume)
        try settings(#"use_devicesfile=0 global_filter=["r|/dev/ubdb|""#)
        checks.check(
            "a configuration that cannot be understood is named, and nothing is used",
            try layer.words("pool activate \(Self.pool)", "lvm.conf must be corrected", "status 1")
                .joined(separator: " "), "lvm.conf must be corrected status 1")
        try TextFile.write(plain, to: Self.configuration)
        try shell.run("dd if=/dev/zero of=/dev/ubdb bs=1M count=2 conv=fsync status=none")
    }

    private func usesLVM2sFilters() throws {
        try settings(#"use_devicesfile=0 global_filter=["r|/dev/ubdb|"]"#)
        checks.check(
            "with a global_filter the guest's is left out", try activates(), "/dev/mapper/docker-thinpool")
        try settings(#"use_devicesfile=0 filter=["a|ubda$|", "r|.*|"]"#)
        checks.check("with a filter too", try activates(), "/dev/mapper/docker-thinpool")
        checks.check(
            "a device that is left out is not taken",
            try layer.words(
                "pool extend \(Self.pool) /dev/ubdc", "leaves it out: devices/filter", "status 1"
            ).joined(separator: " "), "leaves it out: devices/filter status 1")
    }

    private func usesLVM2sDevicesFile(mine: String, volume: String) throws {
        try settings("use_devicesfile=1")
        try shell.run("mkdir -p /run/etc-lvm/devices")
        try TextFile.write(
            "VERSION=1.1.1\nIDTYPE=devname IDNAME=/dev/ubda DEVNAME=/dev/ubda PVID=\(volume)\n",
            to: "/run/etc-lvm/devices/system.devices")
        checks.check("with lvm2's devices file too", try activates(), "/dev/mapper/docker-thinpool")
        checks.check(
            "where lvm2 sees one group as well",
            try shell.everything("vgs --noheadings -o vg_uuid docker").joinedWords, mine)
        checks.check(
            "a device that is not in the file is not taken",
            try layer.words(
                "pool extend \(Self.pool) /dev/ubdc", "system.devices does not list it", "status 1"
            ).joined(separator: " "), "system.devices does not list it status 1")
        try shell.run("rm -r /run/etc-lvm/devices")
    }

    /// A copy of the disk, and the paths of a multipath device.
    func tellsCopiesApart() throws {
        try shell.run("dd if=/dev/ubda of=/dev/ubdb bs=1M count=2 conv=fsync status=none")
        checks.check(
            "a copy of the disk is named",
            try layer.words(
                "pool activate \(Self.pool)", "/dev/ubda and /dev/ubdb are all the physical volume", "status 1"
            ).joined(separator: " "), "/dev/ubda and /dev/ubdb are all the physical volume status 1")
        try shell.run(
            """
            dd if=/dev/zero of=/dev/ubdb bs=1M count=2 conv=fsync status=none
            dmsetup create paths --uuid mpath-disk --table "0 $(blockdev --getsz /dev/ubda) linear /dev/ubda 0"
            """)
        try layer("pool activate \(Self.pool)")
        checks.check(
            "a multipath device is used, and not its path",
            try shell.output("dmsetup deps -o devname docker-thinpool_tdata | grep -o '(.*)'"), "(paths)")
        try layer("pool deactivate \(Self.pool)")
        try shell.run("dmsetup suspend paths")
        let said = try layer("pool activate \(Self.pool)")
        let isNamed = try GuestShell().succeeds(
            """
            grep -q 'ubda (it is a path of the multipath device dm-[0-9]*)' <<'END'
            \(said)
            END
            """)
        checks.check("also while it does not answer", "\(isNamed) \(said.contains("status 1"))", "true true")
        try shell.run("dmsetup resume paths && dmsetup remove paths")
        // Two guests from the same image are no reason not to use the machine's own group.
        try shell.run(
            "vgcreate -qq -y guest /dev/ubdb && dd if=/dev/ubdb of=/dev/ubdc bs=1M count=2 conv=fsync status=none")
        checks.check("copies of another group are in nobody's way", try activates(), "/dev/mapper/docker-thinpool")
        try clearDisks()
    }
}
