import SystemPackage
import TestSupport

/// Images with files that are hard to keep come out of Docker's root, and go through a store of our own, as they were.
///
/// `Tests/lib/odd-images.py` makes the files; real Docker makes the layers.
struct OddImagesTests {
    private static let options = ["dm.loopdatasize=2G", "dm.loopmetadatasize=16M", "dm.basesize=1G", "dm.fs=ext4"]
    private static let saved = "/var/lib/docker.tar"
    private static let ours = "/var/lib/ours.tar"

    private let checks: Checks
    private let machine: DockerMachine
    private let root: DockerDataRoot
    private let own: Command
    private var shell: GuestShell { machine.shell }

    init(_ checks: Checks, program: FilePath, machine: DockerMachine) {
        self.checks = checks
        self.machine = machine
        root = DockerDataRoot("/var/lib/odd", program: program, shell: machine.shell)
        own = Command(program: program, root: "/var/lib/own", shell: machine.shell)
    }

    func run() throws {
        try makeImages()
        let expected = try facts(Self.saved)
        checks.check(
            "Docker has made the images", expected.lines.last.map(String.init) ?? "", "images: 6, layers: 9")
        checks.check(
            "dmlayer saves them without a note",
            try root.layer("--read-only image save --all --output \(Self.ours)"), "")
        checks.check("each layer is what Docker saved", try facts(Self.ours), expected)
        try bringsIntoOwnStore(expected)
        try shell.run("rm -rf '\(root.dataRoot)' '\(own.root)' \(Self.saved) \(Self.ours)")
    }

    /// The content of an archive, in the words of `image-facts.py`.
    private func facts(_ archive: String) throws -> String {
        try shell.everything("python3 Tests/lib/image-facts.py \(archive)")
    }

    private func makeImages() throws {
        try machine.start(root: root.dataRoot, Self.options)
        try shell.run(
            """
            set -e
            mkdir -p /run/image/bin && cp /run/kernel/busybox /run/image/bin/busybox
            tar -C /run/image -c bin | docker import - odd/base:1
            commit() {
                docker run --detach --network none --name work "$2" /bin/busybox sleep 1000
                python3 Tests/lib/odd-images.py "$1" "/proc/$(docker inspect --format '{{.State.Pid}}' work)/root"
                docker kill work && docker commit work "$3" && docker rm work
            }
            commit make odd/base:1 odd/made:1
            commit change odd/made:1 odd/changed:1
            printf 'FROM odd/changed:1\\nENV a=b\\nLABEL c=d\\n' | docker build --tag odd/env:1 --tag odd/env:2 -
            docker run --network none --name same odd/env:1 /bin/busybox true
            docker commit same odd/same:1 && docker rm same
            python3 Tests/lib/odd-images.py archive | docker load
            docker save --output \(Self.saved) $(docker images --format '{{.Repository}}:{{.Tag}}')
            """)
        try machine.stop()
    }

    private func bringsIntoOwnStore(_ expected: String) throws {
        try own(Self.options.map { "--storage-opt \($0)" }.joined(separator: " ") + " init")
        let said = try own("image import \(Self.saved)")
        checks.check(
            "dmlayer imports them without a note",
            said.lines.filter { !$0.hasPrefix("odd/") }.joined(separator: "\n"), "")
        checks.check(
            "it saves them again without a note", try own("image save --all --output \(Self.ours)"), "")
        checks.check("each layer is still what Docker saved", try facts(Self.ours), expected)
        for image in ["odd/changed:1", "odd/archive:1"] {
            try listFiles(image, root.layer, "/run/theirs")
            try listFiles(image, own, "/run/ours")
            checks.check(
                "the files of \(image) are those that Docker unpacked",
                try shell.everything("[ -s /run/ours ] && diff /run/theirs /run/ours"), "")
        }
        try root.layer("shutdown")
        try own("image remove odd/base:1 odd/made:1 odd/changed:1 odd/env:1 odd/env:2 odd/same:1 odd/archive:1")
        checks.check(
            "nothing is left of them in the store",
            try own.words("check", "has 1 thin device", "nothing is wrong").joined(separator: ", "),
            "has 1 thin device, nothing is wrong")
        try own("shutdown")
    }

    /// Lists the files of an image in a store.
    private func listFiles(_ image: String, _ layer: Command, _ list: String) throws {
        try layer("create files --image \(image)")
        let path = try layer("mount files")
        try shell.run("python3 Tests/lib/odd-images.py list '\(path)' > \(list)")
        try layer("unmount files")
        try layer("remove files")
    }
}
