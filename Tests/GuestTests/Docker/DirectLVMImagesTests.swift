import SystemPackage
import TestSupport

/// Images come out of a root whose pool Docker made in a volume group with lvm2 (“direct-lvm”), on a machine without lvm2.
struct DirectLVMImagesTests {
    private static let saved = "/var/lib/direct-saved.tar"
    private static let ours = "/var/lib/direct-ours.tar"

    private let checks: Checks
    private let machine: DockerMachine
    private let root: DockerDataRoot
    /// A shell that finds lvm2 too.
    private let lvm: GuestShell
    private var shell: GuestShell { machine.shell }

    /// - Parameter lvm2: The folder in which lvm2 is unpacked.
    init(_ checks: Checks, program: FilePath, machine: DockerMachine, lvm2: FilePath) throws {
        self.checks = checks
        self.machine = machine
        root = DockerDataRoot("/var/lib/direct", program: program, shell: machine.shell)
        // Docker writes its profile into the folder of the machine's configuration.
        let volumes = try GuestShell.lvm2(in: lvm2, configuration: "/etc/lvm")
        lvm = GuestShell(
            prelude: """
                \(machine.shell.prelude)
                docker=$LD_LIBRARY_PATH
                \(volumes.prelude)
                export LD_LIBRARY_PATH="$LD_LIBRARY_PATH:$docker"
                """)
    }

    func run() throws {
        let disk = try shell.run("truncate -s 3G /var/lib/direct-disk && losetup --find --show /var/lib/direct-disk")
        try dockerMakesImages(on: disk)
        try lvm.run("vgchange --activate n docker")
        // A disk that cannot be written, as a copy for a rescue is attached.
        try shell.run("blockdev --setro \(disk)")
        try savesThem()
        try shell.run("blockdev --setrw \(disk)")
        try importsOne()
        try dockerHasThem(on: disk)
        try shell.run(
            "losetup --detach \(disk); rm -rf '\(root.dataRoot)' /var/lib/direct-disk \(Self.saved) \(Self.ours)")
    }

    private func options(_ disk: String) -> [String] {
        ["dm.directlvm_device=\(disk)", "dm.directlvm_device_force=true", "dm.basesize=1G", "dm.fs=ext4"]
    }

    private func facts(_ archive: String) throws -> String {
        try shell.everything("python3 Tests/lib/image-facts.py \(archive)")
    }

    private func dockerMakesImages(on disk: String) throws {
        try machine.start(root: root.dataRoot, options(disk), shell: lvm)
        try shell.run(
            """
            set -e
            xz -dc fixtures/docker-20.10-ext4/save-all.tar.xz | docker load
            docker run --network none --name made fixture/chain:v4 sh -c 'echo made > /made'
            docker commit made made:1
            docker save --output \(Self.saved) $(docker images --format '{{.Repository}}:{{.Tag}}')
            """)
        checks.check(
            "Docker's pool is in a volume group",
            try shell.output("docker info 2> /dev/null | grep 'Pool Name'").joinedWords,
            "Pool Name: docker-thinpool")
        try machine.stop()
    }

    /// A digest of the volume group's disk.
    private func diskDigest() throws -> String {
        try shell.run("tar --create --sparse --mtime=@0 /var/lib/direct-disk 2> /dev/null | sha256sum")
    }

    private func savesThem() throws {
        let before = try diskDigest()
        checks.check(
            "dmlayer saves all images of an inactive volume group without a note",
            try root.layer("--read-only image save --all --output \(Self.ours)"), "")
        checks.check("each layer is what Docker saved", try facts(Self.ours), try facts(Self.saved))
        // Not the base device, which is in the list too, and is no layer that can be mounted.
        let layer = try root.layer.output("--json list | jq -r '[.[].id | select(. != \"base\")][-1]'").joinedWords
        checks.check(
            "a layer is mounted from it", try root.layer("--read-only mount \(layer)").hasSuffix("\(layer)/rootfs"))
        checks.check(
            "a pool that is active for reading only takes no change",
            try root.layer.words("create new", "active for reading only", "status 1").joined(separator: ", "),
            "active for reading only, status 1")
        checks.check(
            "nor is it taken for one that was activated",
            try root.layer.words("pool activate --pool docker/thinpool", "active for reading only", "status 1")
                .joined(separator: ", "), "active for reading only, status 1")
        checks.check(
            "nor made larger",
            try root.layer.words("pool extend --pool docker/thinpool", "active for reading only", "status 1")
                .joined(separator: ", "), "active for reading only, status 1")
        try root.layer("--read-only shutdown")
        checks.check(
            "the pool is inactive again", try lvm.output("lvs --noheadings -o lv_active docker/thinpool").joinedWords,
            "")
        checks.check("and no byte of its disk has changed", try diskDigest(), before)
        try root.layer("--read-only container save made --output \(Self.ours)")
        checks.check(
            "a container is saved from it",
            try shell.everything("tar -xOf \(Self.ours) manifest.json | jq -r '.[0].Layers | length'"), "5")
    }

    private func importsOne() throws {
        try shell.run("python3 Tests/lib/odd-images.py hundred > \(Self.ours)")
        checks.check(
            "dmlayer imports an image into it",
            try root.layer.words("image import \(Self.ours)", "odd/hundred:1", "100 layers, 100 new", "status")
                .joined(separator: " "), "odd/hundred:1 100 layers, 100 new")
        checks.check("and finds nothing wrong", try root.layer.words("check", "nothing is wrong").count == 1)
        try root.layer("shutdown")
    }

    private func dockerHasThem(on disk: String) throws {
        try lvm.run("vgchange --activate y docker")
        try machine.start(root: root.dataRoot, options(disk), shell: lvm)
        checks.check(
            "Docker has its images and the new one",
            try shell.output("docker images --format '{{.Repository}}:{{.Tag}}' | sort").joinedWords,
            "fixture/base:1 fixture/built:v1 fixture/chain:v2 fixture/chain:v3 fixture/chain:v4 made:1 odd/hundred:1")
        checks.check(
            "Docker runs what it made", try shell.everything("docker run --rm --network none made:1 cat /made"), "made")
        try machine.stop()
        try lvm.run("vgchange --activate n docker")
    }
}
