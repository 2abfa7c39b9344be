import Glibc
import SystemPackage
import TestSupport

/// Docker with containerd's image store works on `dmlayer serve`, with the configurations that are shipped.
final class DockerSnapshotterTests {
    private static let log: FilePath = "/run/service.log"
    private static let root: FilePath = "/var/lib/dmlayer"

    private let checks: Checks
    private let shell: GuestShell
    private let layer: Command
    private var services = 0

    init(_ checks: Checks, program: FilePath, docker: FilePath) throws {
        self.checks = checks
        shell = try GuestShell.unpacked(docker)
        layer = Command(program: program, root: Self.root, shell: shell)
        checks.explain(by: "/run/service.log /run/containerd.log /run/dockerd.log")
    }

    func run() throws {
        try makeMachine()
        try TestImage.make(["cat", "dd", "echo", "grep", "sh", "sleep", "sync"])
        let service = try startService()
        let containerd = try start("containerd", log: "/run/containerd.log")
        try waitUntil("the start of containerd", "ctr version")
        let daemon = try startDocker()
        try loadsImages()
        try commitsContainers()
        try buildsImages()
        let (lastService, lastDaemon) = try survivesRestarts(service, daemon)
        try leavesNothing(lastService, lastDaemon, containerd)
    }

    // MARK: The machine

    /// A disk, as a machine has one, and the configurations.
    private func makeMachine() throws {
        try GuestMachine.makeDisk("12G", at: "/var/lib")
        try GuestMachine.mountControlGroups()
        try GuestMachine.makeConfigurationsWritable()
        try Shell.run(
            """
            mkdir -p /etc/docker /etc/containerd /run/dmlayer
            cp packaging/docker/daemon.json /etc/docker/daemon.json
            {
                sed -n '/^version/p' packaging/containerd/config-1.toml
                echo 'disabled_plugins = ["io.containerd.grpc.v1.cri"]'
                sed '/^version/d' packaging/containerd/config-1.toml
            } > /etc/containerd/config.toml
            """)
    }

    private func start(_ command: String, log: FilePath) throws -> ChildProcess {
        try ChildProcess("\(shell.prelude)\nexec \(command)", output: log)
    }

    private func waitUntil(_ what: String, _ command: String) throws {
        try checks.wait(for: what) { try shell.succeeds(command) }
    }

    private func startService() throws -> ChildProcess {
        services += 1
        let log = FilePath("\(Self.log).\(services)")
        let options = ["dm.loopdatasize=4g", "dm.loopmetadatasize=16m", "dm.basesize=300m", "dm.fs=ext4"]
        let service = try layer.start(
            options.map { "--storage-opt \($0)" }.joined(separator: " ") + " serve", log: log)
        try checks.wait(for: "an answer of the service") {
            try TextFile.read(log).contains("the service is ready")
        }
        return service
    }

    private func startDocker() throws -> ChildProcess {
        let daemon = try start(
            """
            dockerd --config-file /etc/docker/daemon.json --containerd /run/containerd/containerd.sock --bridge=none \
                --iptables=false --ip6tables=false --ip-forward=false --userland-proxy=false
            """, log: "/run/dockerd.log")
        try waitUntil("the start of Docker", "docker version")
        return daemon
    }

    private func stop(_ process: ChildProcess) throws {
        process.send(SIGTERM)
        guard try process.wait(.seconds(60)) != nil else { throw CheckError("process \(process.id) does not end") }
    }

    private func run(_ image: String, _ command: String) throws -> String {
        try shell.everything("docker run --rm --network none example.org/\(image):1 \(command)")
    }

    // MARK: Images and containers

    private func loadsImages() throws {
        let version = try shell.output("dockerd --version | sed 's/.*version \\([^,]*\\),.*/\\1/'")
        checks.check(
            "Docker works on the snapshotter",
            try shell.output("docker info --format '{{.ServerVersion}} {{.Driver}} {{.DriverStatus}}'"),
            "\(version) dmlayer [[driver-type io.containerd.snapshotter.v1]]")
        checks.check(
            "it loads an image", try shell.everything("docker load --quiet --input '\(TestImage.archive)'"),
            "Loaded image: example.org/test:1")
        checks.check(
            "it imports an image",
            String(
                try shell.output("docker import '\(TestImage.firstLayer)' example.org/imported:1").prefix { $0 != ":" }),
            "sha256")
        checks.check("the image runs", try run("test", "cat /etc/version"), "two")
        checks.check("the imported one runs", try run("imported", "/bin/cat /etc/version"), "one")
    }

    private func commitsContainers() throws {
        let said = try shell.everything(
            "docker run --detach --network none --name long example.org/test:1 sleep 100000")
        if said.contains("status ") { say(said) }
        _ = try shell.everything("docker exec long sh -c 'echo written > /own; sync'")
        checks.check(
            "a container's root is a thin device",
            try shell.output("docker exec long grep '^/dev/dm-[0-9]* / ext4' /proc/mounts").lines.count == 1)
        // containerd mounts it a second time to compare, read-only, and the kernel has one file system for both.
        let refusal = try shell.everything("docker commit long example.org/made:1")
        checks.check(
            "a container that runs is not committed", refusal.lines.count { $0.contains("resource busy") } == 1)
        try shell.run("docker stop --time 1 long")
        checks.check(
            "one that is stopped is",
            String(try shell.output("docker commit long example.org/made:1").prefix { $0 != ":" }), "sha256")
        checks.check("the result runs", try run("made", "cat /own /etc/version").joinedWords, "written two")
        try shell.run("docker start long")
        checks.check(
            "a container that was stopped has its files", try shell.output("docker exec long cat /own"), "written")
        _ = try shell.everything("docker exec long sh -c 'dd if=/dev/zero of=/more bs=1M count=4; sync'")
        let size = try shell.output("docker ps --size --format '{{.Size}}'")
        checks.check("its size is told", size.hasPrefix("4") && size.contains("MB (virtual"))
        checks.check(
            "its changes are told", try shell.output("docker diff long | sort").joinedWords, "A /more A /own")
        checks.check("a file is copied out of it", try shell.output("docker cp long:/own - | tar -xO"), "written")
    }

    private func buildsImages() throws {
        try Shell.run(
            """
            printf 'FROM example.org/made:1\\nRUN echo built > /built\\nCOPY copied /\\n' > /run/image/2/Dockerfile
            echo copied > /run/image/2/copied
            """)
        checks.check(
            "an image is built",
            String(
                try shell.output(
                    """
                    export DOCKER_BUILDKIT=0
                    docker build --network none --quiet --tag example.org/built:1 /run/image/2
                    """
                ).prefix { $0 != ":" }), "sha256")
        checks.check("and runs", try run("built", "cat /built /copied /own").joinedWords, "built copied written")
    }

    // MARK: Restarts

    private func survivesRestarts(
        _ service: ChildProcess, _ daemon: ChildProcess
    ) throws -> (service: ChildProcess, daemon: ChildProcess) {
        try stop(service)
        checks.check(
            "containers run on without the service", try shell.output("docker exec long cat /own"), "written")
        let service = try startService()
        checks.check("and new ones start when it is back", try run("made", "cat /own"), "written")
        try shell.run("docker stop --time 1 long")
        try stop(daemon)
        let daemon = try startDocker()
        checks.check(
            "images are there when Docker is restarted",
            try shell.output("docker images --format '{{.Repository}}' | sort").joinedWords,
            "example.org/built example.org/imported example.org/made example.org/test")
        checks.check(
            "and so is the container", try shell.output("docker start long && docker exec long cat /own"),
            "long\nwritten")
        return (service, daemon)
    }

    private func snapshots() throws -> String {
        try shell.output("ctr --namespace moby snapshots --snapshotter dmlayer ls | awk 'NR > 1 { print $NF }'")
            .joinedWords
    }

    private func leavesNothing(_ service: ChildProcess, _ daemon: ChildProcess, _ containerd: ChildProcess) throws {
        try shell.run("docker rm --force long")
        for image in ["built", "imported", "made", "test"] {
            try shell.run("docker rmi --force example.org/\(image):1")
        }
        try shell.run("docker system prune --force --all")
        try checks.wait(for: "the end of Docker's snapshots") { try snapshots().isEmpty }
        checks.check(
            "nothing is left of containers and images",
            try snapshots()
                + shell.output("docker ps --all --quiet; docker images --all --quiet").joinedWords, "")
        for process in [daemon, containerd, service] { try stop(process) }
        try layer("shutdown")
        checks.check("no device is left", try shell.output("dmsetup ls | grep -c docker-"), "0")
        checks.check("nothing is mounted", try shell.output("grep -c '^/dev/dm-' /proc/mounts"), "0")
        let metadata = "\(Self.root)/devicemapper/metadata"
        checks.check("thin_check finds nothing", try shell.everything("thin_check --quiet '\(metadata)'"), "")
        checks.check(
            "no thin device is left but the base device",
            try shell.output("thin_ls --no-headers --format DEV '\(metadata)'").joinedWords,
            try shell.output("jq .device_id '\(Self.root)/metadata/base'"))
        checks.check(
            "the service had no trouble of its own",
            try shell.output("grep -h 'level=\"error\"' '\(Self.log)'.*"), "")
    }
}
