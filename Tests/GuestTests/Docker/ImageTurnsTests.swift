import SystemPackage
import TestSupport

/// Real Docker uses and removes the images that dmlayer imported into its root, and dmlayer those of Docker.
struct ImageTurnsTests {
    private static let options = ["dm.loopdatasize=2G", "dm.loopmetadatasize=16M", "dm.basesize=1G", "dm.fs=ext4"]
    private static let source = "/run/source.tar"
    /// An image of a hundred layers.
    private static let hundred = "/run/hundred.tar"

    private let checks: Checks
    private let machine: DockerMachine
    private let root: DockerDataRoot
    private var shell: GuestShell { machine.shell }

    init(_ checks: Checks, program: FilePath, machine: DockerMachine) {
        self.checks = checks
        self.machine = machine
        root = DockerDataRoot("/var/lib/turns", program: program, shell: machine.shell)
    }

    func run() throws {
        try shell.run(
            """
            xz -dc fixtures/docker-20.10-ext4/save-all.tar.xz > \(Self.source)
            python3 Tests/lib/odd-images.py hundred > \(Self.hundred)
            """)
        try importsBesideAnImageOfDockers()
        try dockerUsesThem()
        try dmlayerRemovesOne()
        try dockerRemovesTheRest()
        try shell.run("rm -rf '\(root.dataRoot)' \(Self.source) \(Self.hundred) /run/saved.tar")
    }

    /// The content of an archive, in the words of `image-facts.py`.
    private func facts(_ archive: String) throws -> String {
        try shell.everything("python3 Tests/lib/image-facts.py \(archive)")
    }

    private func importsBesideAnImageOfDockers() throws {
        try machine.start(root: root.dataRoot, Self.options)
        // The archive of one image.
        try shell.run(
            """
            set -e
            mkdir /run/base && tar -C /run/base -xf \(Self.source) && cd /run/base
            jq 'map(select(.RepoTags == ["fixture/base:1"]))' manifest.json > one && mv one manifest.json
            tar -c manifest.json $(jq --raw-output '.[] | .Config, .Layers[]' manifest.json) | docker load
            rm -r /run/base
            """)
        try machine.stop()
        checks.check(
            "dmlayer imports images on a layer of Docker's",
            try root.layer("image import \(Self.source)"),
            """
            fixture/base:1  f68510d054f0  1 layer, 0 new
            fixture/chain:v2  e3db127dbbc6  2 layers, 1 new
            fixture/chain:v3  33022d40088d  3 layers, 1 new
            fixture/chain:v4  56ea32869787  4 layers, 1 new
            fixture/built:v1  ce53bfb0d835  5 layers, 4 new
            """)
        checks.check(
            "dmlayer imports an image of a hundred layers",
            try root.layer.words("image import \(Self.hundred)", "odd/hundred:1", "100 layers, 100 new", "status")
                .joined(separator: " "), "odd/hundred:1 100 layers, 100 new")
        try root.layer("shutdown")
    }

    private func dockerUsesThem() throws {
        try machine.start(root: root.dataRoot, Self.options)
        let expected = [try facts(Self.source), try facts(Self.hundred)].flatMap { $0.lines.dropLast() }.sorted()
        checks.check(
            "Docker lists them with their ids",
            try shell.everything("docker images --no-trunc --quiet | sort -u"),
            expected.map { $0.prefix(71) }.joined(separator: "\n"))
        checks.check("Docker runs one", try run("fixture/chain:v4 cat /data/four"), "four")
        checks.check("Docker runs another one with its own command", try run("fixture/built:v1"), "hi")
        try shell.run("docker save --output /run/saved.tar $(docker images --format '{{.Repository}}:{{.Tag}}')")
        checks.check(
            "Docker saves each layer as it was", try facts("/run/saved.tar"),
            (expected + ["images: 6, layers: 108"]).joined(separator: "\n"))
        try shell.run(
            """
            docker run --network none --user 0 --name made fixture/built:v1 sh -c 'echo made > /made; rm /data/built'
            docker commit made made:1 && docker save --output /run/saved.tar made:1
            """)
        try machine.stop()
    }

    private func run(_ image: String) throws -> String {
        try shell.everything("docker run --rm --network none \(image)")
    }

    private func dmlayerRemovesOne() throws {
        checks.check(
            "dmlayer does not remove the image of a container",
            try root.layer.words("image remove fixture/built:v1", "container made is made of image", "status 1")
                .joined(separator: ", "), "container made is made of image, status 1")
        checks.check(
            "dmlayer removes other images, and the layers that only they have",
            try root.layer.words(
                "image remove fixture/chain:v4 odd/hundred:1", "with 1 layer", "with 100 layers", "status"
            ).joined(separator: ", "), "with 1 layer, with 100 layers")
        let expected = try facts("/run/saved.tar")
        try root.layer("image save made:1 --output /run/saved.tar")
        checks.check("dmlayer saves what Docker made of an imported image", try facts("/run/saved.tar"), expected)
        checks.check("dmlayer finds nothing wrong", try root.layer.words("check", "nothing is wrong").count == 1)
        try root.layer("shutdown")
    }

    private func dockerRemovesTheRest() throws {
        try machine.start(root: root.dataRoot, Self.options)
        checks.check(
            "Docker has the images that are left",
            try shell.output("docker images --format '{{.Repository}}:{{.Tag}}' | sort").joinedWords,
            "fixture/base:1 fixture/built:v1 fixture/chain:v2 fixture/chain:v3 made:1")
        checks.check("Docker still runs them", try run("made:1 cat /made"), "made")
        try shell.run("docker rm made && docker rmi $(docker images --format '{{.Repository}}:{{.Tag}}')")
        try machine.stop()
        checks.check(
            "Docker has removed all that dmlayer imported",
            try shell.everything(
                """
                cd '\(root.dataRoot)/image/devicemapper'
                find layerdb imagedb -mindepth 2 ! -name sha256
                jq --compact-output . repositories.json
                """), #"{"Repositories":{}}"#)
        checks.check(
            "the pool has the base device and nothing else",
            try root.layer.words("check", "has 1 thin device", "nothing is wrong").joined(separator: ", "),
            "has 1 thin device, nothing is wrong")
        try root.layer("shutdown")
        checks.check("every thin device has a layer after that", try root.numbers(), try root.registered())
    }
}
