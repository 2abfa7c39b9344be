import SystemPackage
import TestSupport

/// `snapshot adopt` takes over what a real containerd made with its own devmapper snapshotter.
final class AdoptionTests {
    private let checks: Checks
    private let machine: AdoptionMachine
    private var shell: GuestShell { machine.shell }
    private var layer: Command { machine.layer }

    private static let adopt = "snapshot adopt --pool pool --from \(AdoptionMachine.folder)"
    private var runs: String { "ctr run --rm \(snapshotter) example.org/test:1" }
    private var snapshotter: String { "--snapshotter \(machine.snapshotter)" }

    /// Expects known words in what the command says, in this order, and that it fails.
    private func refuses(_ name: String, _ arguments: String, _ words: String...) throws {
        let said = try layer(arguments)
        checks.check(
            name, Command.words(in: said, words + ["status 1"]).joined(separator: ", "),
            (words + ["status 1"]).joined(separator: ", "))
    }

    init(_ checks: Checks, program: FilePath, containerd: FilePath, version: String, filesystem: String) throws {
        self.checks = checks
        machine = try AdoptionMachine(
            checks, program: program, containerd: containerd, version: version, filesystem: filesystem)
    }

    func run() throws {
        try machine.prepare()
        try TestImage.make(["sh", "cat", "echo", "sleep", "sync"])
        try machine.startContainerd("own")
        try makeSnapshots()
        let before = try machine.snapshots()
        try refusesWhileContainerdRuns()
        try machine.stopContainerd()
        try plansWithoutAChange()
        try refusesADeviceInUse()
        try takesOver()
        try beginsAnewAfterAKill()
        try goesBack(before)
        try goesBackFromTheService()
        try goesOn()
        try outlivesTheMachine()
        try removesTheImage()
        try leavesNothing()
    }

    /// An image of two layers, containers that ran and are left or gone, and snapshots without one.
    private func makeSnapshots() throws {
        let said = try shell.everything(
            """
            set -e
            ctr images import \(snapshotter) '\(TestImage.archive)'
            ctr run \(snapshotter) example.org/test:1 stopped sh -c 'echo kept > /own; sync'
            \(runs) gone sh -c 'echo lost > /own; sync'
            ctr snapshots \(snapshotter) prepare empty
            """)
        if said.contains("status ") { say(said) }
        // containerd collects the snapshot of the container that is gone a moment later.
        try checks.wait(for: "the end of a snapshot") {
            try shell.output("dmsetup ls | grep -c pool-snap-") == "2"
        }
    }

    private func refusesWhileContainerdRuns() throws {
        try refuses(
            "nothing is taken over while containerd runs", Self.adopt, "containerd runs", "systemctl stop containerd")
        checks.check("and no root is made", try shell.output("ls -A '\(layer.root)'"), "")
    }

    private func plansWithoutAChange() throws {
        let (files, pool) = (try machine.files(), try machine.poolMetadata())
        let plan = try layer.output("--json \(Self.adopt) --dry-run")
        try TextFile.write(plan, to: "/run/plan.json")
        checks.check(
            "the plan has every snapshot and its device",
            try shell.output(
                "jq -r '[.done, (.layers | length), (.refused | length), (.unclaimed | length), (.devices | length)] | @tsv' "
                    + "/run/plan.json"
            ).joinedWords, "false 4 0 0 2")
        checks.check("a plan makes no root", try shell.output("ls -A '\(layer.root)'"), "")
        try refuses(
            "a pool of another name is refused", "snapshot adopt --pool other --from \(AdoptionMachine.folder)",
            "there is no", "pool_name")
        checks.check("nothing has changed", files + pool, try machine.files() + machine.poolMetadata())
    }

    private func refusesADeviceInUse() throws {
        let device = try shell.run("dmsetup ls | grep -o 'pool-snap-[0-9]*' | head -n 1")
        let place = AdoptionMachine.mountPoint
        try shell.run("mount -o ro '/dev/mapper/\(device)' '\(place)'")
        try refuses("a device that is mounted is refused, with its user", Self.adopt, "is in use by", place.string)
        checks.check(
            "and nothing is left of the attempt",
            try shell.output("ls -A '\(layer.root)'; dmsetup ls | grep -c pool-snap-"), "2")
        try shell.run("umount '\(place)'")
    }

    private func takesOver() throws {
        let (files, pool) = (try machine.files(), try machine.poolMetadata())
        let said = try layer(Self.adopt)
        checks.check(
            "four snapshots are taken over",
            said.lines.last.map(String.init) ?? "", "\(layer.root) has 4 snapshots of the pool pool")
        checks.check(
            "the old devices are gone", try shell.output("dmsetup ls | grep -c pool-snap-"), "0")
        checks.check(
            "neither containerd's files nor the pool have changed", files + pool,
            try machine.files() + machine.poolMetadata())
        try refuses("a second time the root is refused", Self.adopt, "holds a store already")
    }

    /// The state that a process leaves which is killed before its last step.
    private func beginsAnewAfterAKill() throws {
        try shell.run(
            """
            set -e
            cd '\(layer.root)'
            jq -c '.making = {files: [], devices: [], is_volume_group_new: false, was_pool_active: true, is_adoption: true}' \
                store.json > /run/store.json
            rm "$(ls -d metadata/* | tail -n 1)"
            cp /run/store.json store.json
            """)
        try refuses(
            "a store that is half taken over is refused", "list", "not complete",
            "dmlayer snapshot adopt” is making it")
        try refuses("also by init", "init", "dmlayer snapshot adopt")
        checks.check(
            "the same command begins anew", try layer(Self.adopt).lines.last.map(String.init) ?? "",
            "\(layer.root) has 4 snapshots of the pool pool")
    }

    /// Nothing was made or removed: containerd goes on with its own snapshotter.
    private func goesBack(_ before: String) throws {
        try machine.startContainerd("own")
        checks.check("containerd can go back", try machine.snapshots(), before)
        checks.check("its stopped container has its file", try machine.content(of: "own", in: "stopped"), "kept")
        checks.check(
            "and it runs another", try shell.everything("\(runs) back cat /etc/version"), "two")
        try machine.stopContainerd()
        try refuses(
            "a store that was left does not serve what containerd has active",
            "serve --socket \(AdoptionMachine.socket)",
            "containerd has used its own snapshotter since")
        try shell.run("rm -r '\(layer.root)'")
    }

    /// The service has started, which made its base device, and nothing else.
    private func goesBackFromTheService() throws {
        try layer(Self.adopt)
        try machine.startService()
        try machine.stopService()
        try layer("shutdown")
        try machine.startContainerd("own")
        checks.check(
            "containerd can go back from the service as well",
            try shell.everything("\(runs) back cat /etc/version") + " " + machine.content(of: "own", in: "stopped"),
            "two kept")
        try machine.stopContainerd()
        try shell.run("rm -r '\(layer.root)'")
        try refuses(
            "a pool that another store has taken over is refused", Self.adopt, "thin device 8388608",
            "dmlayer dm message pool 0 delete 8388608")
        try layer("dm message pool 0 delete 8388608")
        try shell.run("dmsetup message pool 0 'create_thin 5000'")
        checks.check(
            "a thin device that nobody knows is named, and stays",
            try layer(Self.adopt).lines.count { $0.contains("the thin device 5000 has no snapshot, and stays") } == 1)
        try shell.run("rm -r '\(layer.root)'; dmsetup message pool 0 'delete 5000'")
    }

    private func goesOn() throws {
        try machine.startContainerd("own")
        let before = try machine.snapshots()
        try machine.stopContainerd()
        try layer(Self.adopt)
        try renames()
        try machine.startService()
        try machine.startContainerd("proxy")
        checks.check("all snapshots are there, with their sizes, and nothing else", try machine.snapshots(), before)
        checks.check(
            "they are the service's",
            try shell.output("ctr snapshots \(snapshotter) mounts /x stopped | grep -c ' /dev/dm-'"), "1")
        checks.check("the stopped container has its file", try machine.content(of: "own", in: "stopped"), "kept")
        checks.check(
            "it starts again", try shell.everything("ctr task start stopped"), "")
        checks.check(
            "a new container runs, without an import",
            try shell.everything("\(runs) fresh sh -c 'cat /etc/version && echo new > /own && cat /own'")
                .joinedWords,
            "two new")
        checks.check(
            "a snapshot without a parent is made",
            try shell.everything("ctr snapshots \(snapshotter) prepare second > /dev/null"), "")
        checks.check(
            "the numbers of new devices are far from containerd's",
            try shell.output("jq .device_id '\(layer.root)/metadata/base'"), "8388608")
    }

    /// containerd lets no proxy plugin have the name of a built-in snapshotter, so its database gets another name.
    private func renames() throws {
        let database = AdoptionMachine.database
        let before = try shell.run("sha256sum '\(database)'")
        checks.check(
            "a copy of containerd's database has the other name",
            try shell.everything("'\(layer.program)' snapshot rename -o /run/meta.db"),
            "/run/meta.db has 4 snapshots and 1 containers of the snapshotter dmlayer")
        checks.check("the database is as it was", try shell.run("sha256sum '\(database)'"), before)
        try refuses("a file that is there is not replaced", "snapshot rename -o /run/meta.db", "exists; name a file")
        try shell.run("mv '\(database)' /run/meta.db.own && cp /run/meta.db '\(database)'")
    }

    /// After a start of the machine, the pool is activated as before, and the service activates what is wanted.
    private func outlivesTheMachine() throws {
        try machine.stopContainerd()
        try machine.stopService()
        try layer("shutdown")
        checks.check(
            "the service leaves the pool to its script", try shell.output("dmsetup ls | grep -v '^loop' | cut -f 1"),
            "pool")
        try machine.takePoolDown()
        try refuses(
            "without the pool the service says what to do", "serve --socket \(AdoptionMachine.socket)", "is not active")
        try machine.activatePool()
        try machine.startService()
        try machine.startContainerd("proxy")
        checks.check(
            "the container is there after a start of the machine", try machine.content(of: "own", in: "stopped"), "kept"
        )
    }

    private func removesTheImage() throws {
        try shell.run(
            """
            ctr containers rm stopped
            ctr snapshots \(snapshotter) rm empty
            ctr snapshots \(snapshotter) rm second
            ctr images rm --sync example.org/test:1
            """)
        try checks.wait(for: "the end of the snapshots") {
            try shell.run("ctr snapshots \(snapshotter) ls").lines.count == 1
        }
    }

    private func leavesNothing() throws {
        try machine.stopContainerd()
        try machine.stopService()
        checks.check(
            "check is content", try layer("check").lines.last.map(String.init)?.contains("nothing is wrong") == true)
        try layer("shutdown")
        try machine.takePoolDown()
        checks.check("thin_check finds nothing", try shell.everything("thin_check --quiet /run/work/metadata"), "")
        checks.check(
            "no thin device is left but the base device",
            try shell.output("thin_ls --no-headers --format DEV /run/work/metadata").joinedWords, "8388608")
    }
}
