import SystemCalls
import SystemPackage
import TestSupport

extension ContainerdTests {
    func findsThePlugin() throws {
        let plugins = try shell.output("ctr plugins ls").lines.map { $0.split(whereSeparator: \.isWhitespace) }
        func state(_ chosen: [[Substring]]) -> [String] {
            chosen.map { [$0.first, $0.last].compactMap { $0.map(String.init) }.joined(separator: " ") }.sorted()
        }
        checks.check(
            "containerd has the plugin",
            state(plugins.filter { $0.count > 2 && $0[1] == "dmlayer" }).joined(separator: "\n"),
            "io.containerd.snapshotter.v1 ok")
        if has("2") {
            let services = plugins.filter {
                $0.count > 2
                    && ($0[0] == "io.containerd.transfer.v1" && $0[1] == "local"
                        || $0[0] == "io.containerd.cri.v1")
            }
            let lines = services.map { "\($0[0]) \($0[1]) \($0[$0.count - 1])" }.sorted()
            checks.check(
                "the services that pull images and know the runtimes are there", lines.joined(separator: "\n"),
                """
                io.containerd.cri.v1 images ok
                io.containerd.cri.v1 runtime ok
                io.containerd.transfer.v1 local ok
                """)
        }
    }

    /// - Returns: The keys of the image's two snapshots.
    func startsContainers() throws -> (lower: String, upper: String) {
        // In containerd 2 this is the transfer service.
        let said = try shell.everything("ctr images import --snapshotter dmlayer '\(TestImage.archive)'")
        if said.contains("\nstatus ") { say(said) }
        checks.check(
            "an image is imported and unpacked",
            try rows().compactMap { $0.last.map(String.init) }.joined(separator: " "),
            "Committed Committed")
        guard let lower = try names(columns: 2).first, let upper = try names(columns: 3).first else {
            throw CheckError("the image has no snapshots:\n\(try snapshots("ls"))")
        }
        checks.check("two containers start", try run("one") + run("two"), "")
        try exec("one", "sh -c 'echo first > /own; sync'")
        try exec("two", "sh -c 'echo second > /own; sync'")
        checks.check(
            "each has its own root",
            "\(try exec("one", "cat /own /etc/version").joinedWords) \(try exec("two", "cat /own"))",
            "first two second")
        checks.check(
            "they are on block devices",
            try shell.output("grep -c '^/dev/dm-[0-9]* .*/rootfs ext4' /proc/mounts"), "2")
        return (lower, upper)
    }

    func snapshotsAnswer(lower: String) throws {
        checks.check(
            "a snapshot with children is not removed",
            try snapshots("rm \(lower)").lines.count { $0.contains("cannot remove snapshot") } == 1)
        let usage = try snapshots("usage one").lines.map { $0.split(whereSeparator: \.isWhitespace) }
        checks.check(
            "it takes space of its own", usage.count > 1 && usage[1].count > 1 && !usage[1][1].hasPrefix("0"))
        try snapshots("label one containerd.io/snapshot/test=yes")
        checks.check(
            "it takes a label",
            try snapshots("info one").lines.count { $0.contains("\"containerd.io/snapshot/test\": \"yes\"") } == 1)
    }

    func survivesRestarts() throws {
        func haveSnapshots() throws -> Bool { try names().count { $0 == "one" || $0 == "two" } == 2 }
        try machine.stopContainerd()
        try machine.startContainerd()
        checks.check("the containers run on when containerd is restarted", try exec("one", "cat /own"), "first")
        checks.check("and their snapshots are there", try haveSnapshots())
        try machine.stopService()
        checks.check("the containers run on without the service", try exec("two", "cat /own"), "second")
        try machine.startService()
        checks.check("and their snapshots are there when it is back", try haveSnapshots())
        checks.check("a third container starts", try run("three") + exec("three", "cat /etc/version"), "two")
    }

    func startsInAUserNamespace() throws {
        let said = try shell.everything(
            """
            ctr run --snapshotter dmlayer --remap-labels --uidmap 0:100000:65536 --gidmap 0:100000:65536 --detach \
                example.org/test:1 mapped sleep 100000
            """)
        guard !has("1.6") else {
            checks.check(
                "containerd 1.6 cannot map the owners of files, and is told so",
                said.lines.count { $0.contains("which containerd makes from version 2.0 on") } == 1)
            return
        }
        checks.check("a container starts in a user namespace", said, "")
        checks.check(
            "it is root there",
            try exec("mapped", "cat /proc/self/uid_map").joinedWords + " "
                + exec("mapped", "sh -c 'echo mapped > /etc/own; sync; cat /etc/own'"), "0 100000 65536 mapped")
        let device = try shell.run("awk '$2 ~ \"/mapped/rootfs$\" { print $1 }' /proc/mounts | tail -n 1")
        let place = ContainerdMachine.mountPoint
        try shell.run("mount '\(device)' '\(place)'")
        // containerd 1.7 has changed the owners itself.
        let owner = has("2") ? 0 : 100_000
        checks.check(
            "the files of the image and new ones have the same owner on the device",
            try shell.output("stat -c %u:%g '\(place)/etc/own' '\(place)/etc/version'").joinedWords,
            "\(owner):\(owner) \(owner):\(owner)")
        try shell.run("umount '\(place)'")
        try end("mapped")
    }

    // MARK: Snapshots that are mounted

    func mountsSnapshots(parent: String) throws {
        let place = ContainerdMachine.mountPoint
        func unmount() throws { try shell.run("umount '\(place)'") }
        try mounted("prepare --target '\(place)' work \(parent)")
        try shell.run("echo committed > '\(place)/file'")
        checks.check("a mounted snapshot is committed", try snapshots("commit made work"), "")
        try unmount()
        try mounted("view --target '\(place)' look made")
        checks.check("a view of it has what was written", try shell.output("cat '\(place)/file'"), "committed")
        checks.check(
            "and cannot be written", try shell.everything("touch '\(place)/x'").contains("Read-only"))
        try unmount()
        try snapshots("rm look")

        try mounted("prepare --target '\(place)' given-up made")
        try shell.run("echo still here > '\(place)/file'")
        try snapshots("rm given-up")
        try collect()
        checks.check(
            "a mounted snapshot that containerd gives up stays whole",
            try shell.everything("cat '\(place)/file' && touch '\(place)/more' && sync -f '\(place)'"), "still here")
        try unmount()
    }

    /// Clients are at work while the service is killed.
    func survivesAKill() throws {
        let clients = try (1...3).map { client in
            try ChildProcess(
                """
                \(shell.prelude)
                for number in {1..12}; do
                    ctr snapshots --snapshotter dmlayer prepare "client-\(client)-$number" made
                    ((number % 2)) || ctr snapshots --snapshotter dmlayer rm "client-\(client)-$number"
                done
                """, output: FilePath("/run/client-\(client)"))
        }
        pause(for: .seconds(3))
        try machine.killService()
        try machine.startService()
        for client in clients where try client.wait(.seconds(300)) == nil { throw CheckError("a client does not end") }
        checks.check("the containers run on when the service is killed", try exec("one", "cat /own"), "first")
        let answers = try names().map { try snapshots("info \($0)") }
        checks.check(
            "every snapshot that containerd knows is there",
            answers.filter { $0.contains("status ") || $0.contains("ctr:") }.joined(separator: "\n"), "")
        checks.check("and one more container starts", try run("four") + exec("four", "cat /etc/version"), "two")
    }

    func collectsEverything() throws {
        for container in ["one", "two", "three", "four"] { try end(container) }
        for name in try names().filter({ $0.hasPrefix("client-") }) + ["made"] { try snapshots("rm \(name)") }
        try shell.run("ctr images rm --sync example.org/test:1")
        try collect()
        try checks.wait(for: "the end of the image's snapshots") { try names().isEmpty }
        checks.check("containerd collects what nobody wants", try names().joined(separator: "\n"), "")
    }

    /// As after a new start of the machine, no device is active.
    func activatesAfterShutdown() throws {
        let place = ContainerdMachine.mountPoint
        try snapshots("prepare kept")
        try mounted("mounts '\(place)' kept")
        try shell.run("echo kept > '\(place)/file' && umount '\(place)'")
        try machine.stopService()
        let said = try layer("shutdown")
        checks.check(
            "the devices go when the store is shut down", said + (try shell.output("dmsetup ls | grep -c docker-")), "0"
        )
        try machine.startService()
        try mounted("mounts '\(place)' kept")
        checks.check("and are there again when they are wanted", try shell.output("cat '\(place)/file'"), "kept")
        try shell.run("umount '\(place)'")
        try snapshots("rm kept")
        try collect()
    }

    func leavesNothing() throws {
        try machine.stopContainerd()
        try machine.stopService()
        try layer("shutdown")
        let metadata = "\(layer.root)/devicemapper/metadata"
        checks.check("thin_check finds nothing", try shell.everything("thin_check --quiet '\(metadata)'"), "")
        checks.check(
            "no thin device is left but the base device",
            try shell.output("thin_ls --no-headers --format DEV '\(metadata)'").joinedWords,
            try shell.output("jq .device_id '\(layer.root)/metadata/base'"))
        checks.check("the service had no trouble of its own", try machine.errors(), "")
    }
}
