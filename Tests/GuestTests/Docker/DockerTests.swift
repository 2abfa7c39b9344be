import SystemPackage
import TestSupport

/// Real Docker and dmlayer have the same root in turns, and both make the same of one that was left in the middle of
/// something.
final class DockerTests {
    private static let imageLayer = "c0cb3784467ed5530fee5da21fbc5fbb0a4e4d1f807b38a8490348554865027b"
    private static let containerLayer = "e111e19339885ad0f6a27e6fb06d421cfe495c9f63f2f83503332cfb24cf764c"
    private static let containerNumber = 41
    private static let unusedNumber = 44
    private static let nextTransaction = 77
    /// The sizes of the fixture's files: Docker enlarges smaller ones.
    private static let sizes = ["dm.loopdatasize=2G", "dm.loopmetadatasize=16M"]
    private static let clean: FilePath = "/var/lib/clean"

    private let checks: Checks
    private let program: FilePath
    private let lvm2: FilePath
    private let machine: DockerMachine
    private var shell: GuestShell { machine.shell }

    init(_ checks: Checks, program: FilePath, docker: FilePath, lvm2: FilePath) throws {
        self.checks = checks
        self.program = program
        self.lvm2 = lvm2
        machine = try DockerMachine(docker)
    }

    func run() throws {
        try takesTurns()
        try recoversAsDockerDoes()
        try takesTurnsOnAPoolOfSomebodyElse()
        try ImageTurnsTests(checks, program: program, machine: machine).run()
        try OddImagesTests(checks, program: program, machine: machine).run()
        try DirectLVMImagesTests(checks, program: program, machine: machine, lvm2: lvm2).run()
    }

    private func root(_ path: FilePath, poolFiles: FilePath? = nil) -> DockerDataRoot {
        DockerDataRoot(path, poolFiles: poolFiles, program: program, shell: shell)
    }

    private func run(_ image: String, _ command: String) throws -> String {
        try shell.everything("docker run --rm --network none \(image) \(command)")
    }

    private func images() throws -> String {
        try shell.output("docker images --format '{{.Repository}}:{{.Tag}}' | sort").joinedWords
    }

    private func write(_ text: String, _ file: String, _ layer: String, in root: DockerDataRoot) throws {
        try TextFile.write("\(text)\n", to: FilePath(try root.layer("mount \(layer)")).appending(file))
    }

    private func refusal(_ root: DockerDataRoot) throws -> String {
        try root.layer.words("info", "Stop Docker", "status 1").joined(separator: " ")
    }

    // MARK: A root in turns

    private func takesTurns() throws {
        let root = root("/var/lib/docker")
        try shell.run(
            """
            tar -C /var/lib --xattrs --xattrs-include='*' --numeric-owner \
                -xf fixtures/docker-20.10-ext4/var-lib-docker.tar.xz
            cp -a --sparse=always '\(root.dataRoot)' '\(Self.clean)'
            """)
        try root.layer("create ours --parent \(Self.containerLayer)")
        try write("hello from dmlayer", "ours", "ours", in: root)
        try root.layer("create removed --parent ours")
        try root.layer("remove removed")
        try root.layer("mount \(Self.containerLayer)")
        let said = try root.layer("shutdown")
        checks.check("dmlayer shuts a root of Docker's down", said + (try DockerDataRoot.activeDevices()), "0")

        try machine.start(root: root.dataRoot, Self.sizes)
        checks.check(
            "Docker has its images after dmlayer", try images(),
            "fixture/base:1 fixture/built:v1 fixture/chain:v2 fixture/chain:v3 fixture/chain:v4")
        checks.check(
            "Docker has its containers",
            try shell.output("docker ps -a --format '{{.Names}}' | sort").joinedWords, "c1 c2")
        for image in ["base:1", "chain:v4", "built:v1"] {
            checks.check(
                "Docker runs fixture/\(image)", try run("fixture/\(image)", "echo 'hello from \(image)'"),
                "hello from \(image)")
        }
        try shell.run(
            """
            docker run --network none --name made fixture/chain:v4 sh -c 'echo made by docker > /made' > /dev/null 2>&1
            docker commit made fixture/made:1
            """)
        let made = try root.layer(of: "made")
        checks.check("dmlayer refuses while Docker runs", try refusal(root), "Stop Docker status 1")
        try machine.stop()
        try dmlayersTurn(root, made)
        try dockersSecondTurn(root, made)
    }

    private func dmlayersTurn(_ root: DockerDataRoot, _ made: String) throws {
        checks.check(
            "Docker leaves dmlayer's layer alone", try root.layer.content(of: "ours", in: "ours"), "hello from dmlayer")
        checks.check(
            "dmlayer mounts the container that Docker made", try root.layer.content(of: "made", in: made),
            "made by docker")
        let path = try root.layer("mount \(Self.imageLayer)")
        checks.check(
            "dmlayer still mounts an image's layer",
            try shell.output("head -c 4 '\(path)/bin/busybox' | tail -c 3"), "ELF")
        try root.layer("unmount \(Self.imageLayer)")
        try root.layer("create child --parent \(made)")
        checks.check("dmlayer copies it", try root.layer.content(of: "made", in: "child"), "made by docker")
        try root.layer("remove ours child")
        let said = try root.layer("shutdown")
        checks.check("dmlayer shuts it down", said + (try DockerDataRoot.activeDevices()), "0")
    }

    private func dockersSecondTurn(_ root: DockerDataRoot, _ made: String) throws {
        try machine.start(root: root.dataRoot, Self.sizes)
        checks.check(
            "Docker runs the image that it committed", try run("fixture/made:1", "cat /made"), "made by docker")
        try machine.kill()
        checks.check("dmlayer refuses a pool that a killed Docker left", try refusal(root), "Stop Docker status 1")
        let devices = try shell.output("dmsetup ls").lines.compactMap { $0.split(whereSeparator: \.isWhitespace).first }
        // The pool last: the layers stand on it.
        for device in devices.filter({ $0.hasPrefix("docker-") && !$0.hasSuffix("-pool") })
            + devices.filter({ $0.hasSuffix("-pool") })
        {
            try root.layer("dm remove \(device)")
        }
        checks.check(
            "dmlayer has the root when the pool is removed as it says", try root.layer.content(of: "made", in: made),
            "made by docker")
        try root.layer("shutdown")
        checks.check("thin_check finds nothing", try root.withMetadata("thin_check --quiet"), "")
        checks.check("every thin device has a layer", try root.numbers(), try root.registered())
        // Docker mounts it on itself, and was killed.
        try shell.run("umount --recursive '\(root.dataRoot)' && rm -rf '\(root.dataRoot)'")
    }

    // MARK: Roots that were left in the middle of something

    /// A root where Docker has said what it is about to do, and may have done it.
    private func interrupt(_ layer: String, _ number: Int, _ message: String? = nil) throws -> DockerDataRoot {
        let root = root("/var/lib/interrupted")
        try shell.run("rm -rf '\(root.dataRoot)' && cp -a --sparse=always '\(Self.clean)' '\(root.dataRoot)'")
        let text =
            "\"open_transaction_id\":\(Self.nextTransaction),\"device_hash\":\"\(layer)\",\"device_id\":\(number)"
        try TextFile.write("{\(text)}", to: root.root.appending("metadata/transaction-metadata"))
        guard let message else { return root }
        try shell.run(
            """
            set -e
            data=$(losetup --find --show '\(root.poolFiles)/data')
            metadata=$(losetup --find --show '\(root.poolFiles)/metadata')
            dmsetup create interrupted --table "0 4194304 thin-pool $metadata $data 128 32768 1 skip_block_zeroing"
            dmsetup message interrupted 0 '\(message)'
            dmsetup remove interrupted
            losetup --detach "$data" "$metadata"
            """)
        return root
    }

    /// Docker opens one copy of the root, and dmlayer another one.
    private func compareRecoveries(_ name: String, _ interrupted: DockerDataRoot) throws {
        let theirs = root("/var/lib/docker")
        try shell.run("cp -a --sparse=always '\(interrupted.dataRoot)' '\(theirs.dataRoot)'")
        try machine.start(root: theirs.dataRoot, Self.sizes)
        try machine.stop()
        let expected = try theirs.state()
        try shell.run("rm -rf '\(theirs.dataRoot)'")
        try interrupted.layer("info")
        try interrupted.layer("shutdown")
        checks.check("\(name): dmlayer recovers as Docker does", try interrupted.state(), expected)
        checks.check(
            "\(name): every thin device has a layer", try interrupted.numbers(), try interrupted.registered())
    }

    private func recoversAsDockerDoes() throws {
        let creation = "create_snap \(Self.unusedNumber) \(Self.containerNumber)"
        try compareRecoveries(
            "a creation that is in the pool", interrupt("made-by-nobody", Self.unusedNumber, creation))
        let withFile = try interrupt("made-by-nobody", Self.unusedNumber, creation)
        try shell.run(
            """
            cd '\(withFile.root)/metadata'
            jq --compact-output '.device_id = \(Self.unusedNumber) | .transaction_id = \(Self.nextTransaction)' \
                '\(Self.containerLayer)' > made-by-nobody
            """)
        try compareRecoveries("a creation that is in the pool and has a file", withFile)
        try compareRecoveries(
            "a removal that is not in the pool", interrupt(Self.containerLayer, Self.containerNumber))
        try compareRecoveries(
            "a removal that is in the pool",
            interrupt(Self.containerLayer, Self.containerNumber, "delete \(Self.containerNumber)"))
        try shell.run("rm -rf /var/lib/interrupted '\(Self.clean)'")
    }

    // MARK: A root whose pool is somebody else's

    private func takesTurnsOnAPoolOfSomebodyElse() throws {
        let root = root("/var/lib/outside", poolFiles: "/var/lib/volumes")
        try shell.run(
            """
            set -e
            mkdir -p '\(root.root)' '\(root.poolFiles)'
            chmod 700 '\(root.root)'
            truncate --size=2G '\(root.poolFiles)/data'
            truncate --size=16M '\(root.poolFiles)/metadata'
            data=$(losetup --find --show '\(root.poolFiles)/data')
            metadata=$(losetup --find --show '\(root.poolFiles)/metadata')
            dmsetup create outside --table "0 4194304 thin-pool $metadata $data 128 32768 1 skip_block_zeroing"
            """)
        let options = ["dm.thinpooldev=/dev/mapper/outside", "dm.basesize=1G", "dm.fs=ext4"]
        try machine.start(root: root.dataRoot, options)
        try shell.run(
            """
            mkdir -p /run/image/bin && cp /run/kernel/busybox /run/image/bin/sh
            tar -C /run/image -c bin | docker import - outside:1
            docker run --network none --name made outside:1 sh -c 'echo made by docker > /made'
            docker commit made outside:2
            """)
        let made = try root.layer(of: "made")
        let rows = try shell.output("docker info | sed -n '/Pool Name:/,/Deferred Deleted/s/^  //p'")
        try machine.stop()
        try adopt(root, made, rows)

        try machine.start(root: root.dataRoot, options)
        checks.check("Docker has the images in such a pool", try images(), "outside:1 outside:2")
        checks.check(
            "Docker runs one", try run("outside:2", "sh -c 'read -r line </made; echo \"$line\"'"), "made by docker")
        try shell.run("docker run --network none --name again outside:2 sh -c 'echo once more > /again'")
        let again = try root.layer(of: "again")
        try machine.stop()
        checks.check(
            "dmlayer has its layer again", try root.layer.content(of: "ours", in: "ours"), "hello from dmlayer")
        checks.check("dmlayer has Docker's new one", try root.layer.content(of: "again", in: again), "once more")
        try root.layer("remove ours")
        try root.layer("shutdown")
        try shell.run("dmsetup remove outside && losetup --detach-all")
        checks.check("every thin device of such a pool has a layer", try root.numbers(), try root.registered())
    }

    /// dmlayer takes such a root over from Docker.
    private func adopt(_ root: DockerDataRoot, _ made: String, _ rows: String) throws {
        checks.check(
            "dmlayer asks for Docker's options of such a root",
            try root.layer.words("list", "once with Docker's options", "status 1").joined(separator: " "),
            "once with Docker's options status 1")
        checks.check(
            "dmlayer takes them once", try root.layer("--storage-opt dm.thinpooldev=outside init"), "")
        let ours = try root.layer("info").lines.filter {
            !$0.hasPrefix("Library Version") && !$0.hasPrefix("Zero New Blocks")
        }
        checks.check("dmlayer shows Docker's rows", ours.joined(separator: "\n"), rows)
        checks.check(
            "dmlayer lists Docker's devices",
            try shell.output(
                "'\(program)' --root '\(root.root)' --json list | jq '.[].device_id' | sort -n"
            ).joinedWords, try root.registered())
        checks.check(
            "dmlayer mounts the container in such a pool", try root.layer.content(of: "made", in: made),
            "made by docker")
        try root.layer("create ours --parent \(made)")
        try write("hello from dmlayer", "ours", "ours", in: root)
        try root.layer("shutdown")
        checks.check(
            "dmlayer leaves the pool, and nothing on it", try shell.output("dmsetup ls | cut -f1").joinedWords,
            "outside")
    }
}
