import Glibc
import SystemPackage
import TestSupport

/// The images and containers of a root that Docker 20.10 made come into the programs of today.
final class DockerImagesTests {
    private static let oldData: FilePath = "/var/lib/old/docker"
    private static let files: FilePath = "fixtures/docker-20.10-ext4"
    /// The list of `docker images` of Docker 20.10, without the times.
    private static let images = """
        fixture/base:1 sha256:f68510d054f099172a564d0e900be3d28d6b7d0ec13879f787ff6b887446d176
        fixture/built:v1 sha256:ce53bfb0d835bcbe1327282ce8080d929bb9406e46706a3fed4eb3bf79936596
        fixture/chain:v2 sha256:e3db127dbbc67af26f1191ad09de31e8ccd9087f49e7ade2d18bcda472f5c5e6
        fixture/chain:v3 sha256:33022d40088ddf05eb6b3da2595c5e6ac975f30e83cb74e427f883d88fd3602e
        fixture/chain:v4 sha256:56ea32869787e5a2833ff707bf877c336a491822eebef933b9555447085879fb
        """

    private let checks: Checks
    private let shell: GuestShell
    private let layer: Command

    init(_ checks: Checks, program: FilePath, docker: FilePath) throws {
        self.checks = checks
        shell = try GuestShell.unpacked(docker)
        layer = Command(program: program, root: Self.oldData.appending("devicemapper"), shell: shell)
        checks.explain(by: "/run/containerd.log /run/dockerd.log")
    }

    func run() throws {
        try makeMachine()
        let before = try digestOfRoot()
        let containerd = try start("containerd --config /run/containerd.toml", log: "/run/containerd.log")
        try checks.wait(for: "the start of containerd") { try shell.succeeds("ctr version") }
        let daemon = try start(
            """
            dockerd --storage-driver vfs --containerd /run/containerd/containerd.sock --bridge=none --iptables=false \
                --ip6tables=false --ip-forward=false --userland-proxy=false
            """, log: "/run/dockerd.log")
        try checks.wait(for: "the start of Docker") { try shell.succeeds("docker version") }
        try bringsImages()
        try bringsContainers()
        try bringsImagesToOthers()
        try ImageRoundTripTests(checks, program: layer.program, shell: shell).run()
        checks.check("nothing was written to the old root", try digestOfRoot(), before)
        for process in [daemon, containerd] {
            process.send(SIGTERM)
            guard try process.wait(.seconds(60)) != nil else { throw CheckError("process \(process.id) does not end") }
        }
    }

    private func start(_ command: String, log: FilePath) throws -> ChildProcess {
        try ChildProcess("\(shell.prelude)\nexec \(command)", output: log)
    }

    private func makeMachine() throws {
        try GuestMachine.makeDisk("12G", at: "/var/lib", options: ",discard")
        try Shell.run(
            """
            set -e
            mkdir -p /var/lib/old
            tar -C /var/lib/old --xattrs --xattrs-include='*' --numeric-owner -xf '\(Self.files)/var-lib-docker.tar.xz'
            printf 'version = 2\\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\\n' > /run/containerd.toml
            """)
        try GuestMachine.mountControlGroups()
        try GuestMachine.makeConfigurationsWritable()
    }

    /// A digest of all that the old root has.
    private func digestOfRoot() throws -> String {
        try Shell.run(
            "cd '\(Self.oldData)' && find . -printf '%p %y %s %T@\\n' -type f -exec sha256sum {} + | sort | sha256sum")
    }

    // MARK: Docker

    /// The command of the page docs/images.md.
    private func bringsImages() throws {
        checks.check(
            "docker load takes all images",
            try layer("--read-only image save --all | docker load").lines.filter { $0.hasPrefix("Loaded") }.sorted()
                .joined(separator: " "),
            "Loaded image: fixture/base:1 Loaded image: fixture/built:v1 Loaded image: fixture/chain:v2 "
                + "Loaded image: fixture/chain:v3 Loaded image: fixture/chain:v4")
        let list = "docker images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' | sort"
        checks.check("they have their old ids", try shell.run(list), Self.images)
        checks.check("an image runs", try run("fixture/chain:v4 cat /data/four"), "four")
        checks.check("another one runs its own command", try run("fixture/built:v1"), "hi")
        checks.check(
            "an image has its history",
            try shell.run("docker history --format '{{.Comment}}' fixture/chain:v4 | paste -sd ' '"),
            "l4 l3 l2 Imported from -")
        checks.check(
            "one image by its name", try layer("--read-only image save fixture/chain:v4 | docker load"),
            "Loaded image: fixture/chain:v4")
        try shell.run("docker rmi -f $(docker images -q) > /dev/null")
        checks.check(
            "one image by its id",
            try layer("--read-only image save 56ea32869787 | docker load").lines.last.map(String.init) ?? "",
            "Loaded image ID: sha256:56ea32869787e5a2833ff707bf877c336a491822eebef933b9555447085879fb")
    }

    private func run(_ image: String) throws -> String {
        try shell.everything("docker run --rm --network none \(image)")
    }

    private func bringsContainers() throws {
        let said = try layer("--read-only container save --all 2> /run/notes | docker load")
        checks.check(
            "docker load takes the containers",
            said.lines.filter { $0.hasPrefix("Loaded") }.sorted().joined(separator: " "),
            "Loaded image: container/c1:latest Loaded image: container/c2:latest")
        let notes = try TextFile.read("/run/notes")
        checks.check(
            "it says where the volumes are",
            Command.words(
                in: notes, ["c2 has the volume", "/var/lib/old/docker/volumes/", "c1 has a folder of the host"]
            )
            .joined(separator: ", "),
            "c2 has the volume, /var/lib/old/docker/volumes/, c1 has a folder of the host")
        checks.check(
            "a container's image has its command",
            try shell.run("docker inspect --format '{{json .Config.Cmd}} {{json .Config.Labels}}' container/c2"),
            #"["/bin/sh","-c","echo hi"] {"a":"b"}"#)
        checks.check("it runs", try run("container/c2"), "hi")
        for container in ["c1", "c2"] {
            checks.check(
                "the content of \(container) is what Docker 20.10 exported", try exported(container),
                try recorded(container))
        }
    }

    /// The files of a new container of the image, without those that Docker puts into each container.
    private func exported(_ container: String) throws -> String {
        try shell.run(
            """
            id=$(docker create container/\(container) 2> /dev/null)
            docker export "$id" | python3 '\(Self.files)/archive.py' | sort | \(Self.comparable)
            docker rm "$id" > /dev/null
            """)
    }

    private func recorded(_ container: String) throws -> String {
        try shell.run("xzcat '\(Self.files)/export-\(container).jsonl.xz' | \(Self.comparable)")
    }

    /// Leaves Docker's own files out, and the times of directories, which Docker changes where it puts those into them.
    private static let comparable = #"""
        python3 -c '
        import json, sys
        own = {".dockerenv", "dev", "proc", "sys", "etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/mtab", "vol"}
        for line in sys.stdin:
            entry = json.loads(line)
            name = bytes.fromhex(entry["name"]).decode("utf-8", "surrogateescape")
            if name in own or name.startswith("dev/"): continue
            if entry["type"] == "5": entry["mtime"] = None
            print(json.dumps(entry, sort_keys=True))
        ' | sha256sum
        """#

    // MARK: Others

    private func bringsImagesToOthers() throws {
        try layer("--read-only image save --all --output /run/all.tar")
        try layer("--read-only image save --all --format oci --output /run/oci.tar")
        let ids = Self.images.replacing("sha256:", with: "")
        checks.check(
            "podman loads them with their old ids",
            try shell.everything(
                """
                export TMPDIR=/var/lib
                podman="podman --root /var/lib/podman --storage-driver vfs"
                $podman load --quiet --input /run/all.tar > /dev/null &&
                $podman images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' |
                    sed 's,^[a-z.]*/,,; s,sha256:,,' | sort
                """), ids)
        checks.check(
            "skopeo copies one",
            try shell.everything(
                """
                skopeo copy --quiet docker-archive:/run/all.tar:fixture/chain:v4 dir:/run/copy &&
                jq --raw-output .config.digest /run/copy/manifest.json
                """), "sha256:56ea32869787e5a2833ff707bf877c336a491822eebef933b9555447085879fb")
        checks.check(
            "umoci unpacks one of the OCI layout",
            try shell.everything(
                """
                mkdir /run/layout && tar -C /run/layout -xf /run/oci.tar && [ ! -e /run/layout/manifest.json ] &&
                umoci unpack --image /run/layout:v4 /var/lib/bundle 2> /run/umoci.log &&
                cat /var/lib/bundle/rootfs/data/four || tail -n 3 /run/umoci.log
                """), "four")
        for archive in ["all", "oci"] {
            checks.check(
                "containerd imports \(archive).tar",
                try shell.everything(
                    """
                    ctr images import --local --no-unpack /run/\(archive).tar > /dev/null 2>&1 ||
                        ctr images import --no-unpack /run/\(archive).tar
                    ctr images check name~=fixture | grep -c 'complete' && ctr images ls -q | sort | paste -sd ' '
                    ctr images rm $(ctr images ls -q) > /dev/null
                    """),
                "5\n"
                    + ["base:1", "built:v1", "chain:v2", "chain:v3", "chain:v4"]
                    .map { "docker.io/fixture/\($0)" }.joined(separator: " "))
        }
    }
}
