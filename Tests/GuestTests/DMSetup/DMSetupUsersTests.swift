import Glibc
import SystemPackage
import TestSupport

/// containerd's own snapshotter `devmapper` calls `dmsetup` for all that it does; here the machine's only `dmsetup` is ours.
final class DMSetupUsersTests {
    private static let pool = "users-pool"
    private static let log: FilePath = "/run/containerd.log"

    private let checks: Checks
    private let program: FilePath
    private let shell: GuestShell
    private var containerd: ChildProcess?

    init(_ checks: Checks, program: FilePath, containerd: FilePath) throws {
        self.checks = checks
        self.program = program
        shell = try GuestShell.unpacked(containerd)
        checks.explain(by: "'\(Self.log)'", lines: 20)
    }

    func run() throws {
        try makeMachine()
        try makePool()
        try TestImage.make(["sh", "cat", "echo", "sleep", "sync"])
        try start()
        try runsContainers()
        try survivesAKill()
        try leavesNothing()
    }

    /// A disk, the configuration, and our file where the machine had its `dmsetup`.
    private func makeMachine() throws {
        try GuestMachine.makeDisk("6G", at: "/run/work")
        try Shell.run(
            """
            set -e
            mount -t tmpfs tmpfs /var/lib
            /run/kernel/busybox mount --bind '\(program)' "$(readlink -f "$(command -v dmsetup)")"
            cat > /run/containerd.toml <<'END'
            version = 2
            disabled_plugins = ["io.containerd.grpc.v1.cri"]
            [plugins."io.containerd.snapshotter.v1.devmapper"]
              root_path = "/run/work/devmapper"
              pool_name = "\(Self.pool)"
              base_image_size = "64MB"
              fs_type = "ext4"
              discard_blocks = true
            END
            """)
        try GuestMachine.mountControlGroups()
        checks.check(
            "no other dmsetup is on the machine",
            try shell.output("type -a -P dmsetup | xargs -n 1 sha256sum | cut -c -64 | sort -u"),
            try shell.output("sha256sum '\(program)' | cut -c -64"))
    }

    /// Makes the pool as containerd's documentation says.
    private func makePool() throws {
        let said = try shell.everything(
            """
            set -e
            cd /run/work && truncate -s 4G data && truncate -s 64M metadata
            data=$(losetup --find --show data) metadata=$(losetup --find --show metadata)
            dmsetup create \(Self.pool) --table "0 $(($(blockdev --getsize64 "$data") / 512)) thin-pool $metadata $data 128 32768"
            dmsetup ls
            """)
        checks.check("a pool is made", said.joinedWords.hasPrefix("\(Self.pool) (2"))
    }

    private func start() throws {
        containerd = try ChildProcess(
            "\(shell.prelude)\nexec containerd --config /run/containerd.toml", output: Self.log)
        try checks.wait(for: "a start of containerd") { try shell.succeeds("ctr version") }
    }

    private func run(_ container: String) throws -> String {
        try shell.everything("ctr run --snapshotter devmapper --detach example.org/test:1 \(container) sleep 100000")
    }

    private func exec(_ container: String, _ command: String) throws -> String {
        try shell.output("ctr tasks exec --exec-id \(UInt64.random(in: 0 ... .max)) \(container) \(command) 2>&1")
            .joinedWords
    }

    /// The names of the devices, in order.
    private func devices() throws -> [String] {
        try shell.output("dmsetup ls").lines
            .compactMap { $0.split(whereSeparator: \.isWhitespace).first.map(String.init) }.sorted()
    }

    private func runsContainers() throws {
        let said = try shell.everything("ctr images import --snapshotter devmapper '\(TestImage.archive)'")
        if said.contains("\nstatus ") { say(said) }
        checks.check(
            "an image is imported and unpacked",
            try shell.output("ctr snapshots --snapshotter devmapper ls").lines.count {
                $0.split(whereSeparator: \.isWhitespace).last == "Committed"
            } == 2)
        checks.check("two containers start", try run("one") + run("two"), "")
        _ = try exec("one", "sh -c 'echo first > /own; sync'")
        checks.check(
            "each has its own root",
            "\(try exec("one", "cat /own /etc/version")) \(try exec("two", "cat /etc/version"))", "first two two")
        checks.check(
            "they are on block devices",
            try shell.output("grep -c '^/dev/mapper/\(Self.pool)-snap.* .*/rootfs ext4' /proc/mounts"), "2")
        checks.check(
            "dmsetup lists their devices beside the pool",
            try devices().count { $0.hasPrefix("\(Self.pool)-snap-") } >= 2)
    }

    private func survivesAKill() throws {
        containerd?.send(SIGKILL)
        guard try containerd?.wait(.seconds(60)) != nil else { throw CheckError("containerd cannot be killed") }
        try start()
        checks.check(
            "the containers and their snapshots are there after containerd was killed",
            "\(try exec("one", "cat /own")) \(try run("three"))\(try exec("three", "cat /etc/version"))", "first two")
    }

    private func leavesNothing() throws {
        for container in ["one", "two", "three"] {
            _ = try shell.everything("ctr tasks kill --signal KILL \(container)")
            try checks.wait(for: "the end of \(container)") { try shell.succeeds("ctr tasks rm --force \(container)") }
            try shell.run("ctr containers rm \(container)")
        }
        try shell.run("ctr images rm --sync example.org/test:1")
        try checks.wait(for: "the removal of the snapshots") { try devices() == [Self.pool] }
        checks.check("every device of an image or a container is gone", try devices().joined(separator: " "), Self.pool)
        containerd?.send(SIGTERM)
        guard try containerd?.wait(.seconds(60)) != nil else { throw CheckError("containerd does not end") }
        checks.check("the pool can be removed", try shell.everything("dmsetup remove \(Self.pool)"), "")
    }
}
