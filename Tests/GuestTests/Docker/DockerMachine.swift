import Glibc
import SystemPackage
import TestSupport

/// A real Docker in the sandbox, unpacked in a folder, with containerd beside it.
final class DockerMachine {
    private static let log: FilePath = "/run/dockerd.log"

    /// Finds Docker's programs.
    let shell: GuestShell
    private let containerd: ChildProcess
    private var daemon: ChildProcess?

    /// Makes the sandbox a machine that Docker runs on, with an empty /var/lib.
    init(_ docker: FilePath) throws {
        // Without udevd libdevmapper must not wait for it.
        let libraries = try Shell.run("find '\(docker)' -name 'libdevmapper.so.*' -printf '%h\\n' -quit")
        shell = GuestShell(
            prelude: """
                export PATH='\(docker)/usr/bin':'\(docker)/usr/sbin':$PATH DM_DISABLE_UDEV=1
                export LD_LIBRARY_PATH='\(libraries)'
                """)
        try Shell.run("mount -t tmpfs tmpfs /var/lib")
        try GuestMachine.makeConfigurationsWritable()
        try GuestMachine.mountControlGroups()
        // One containerd for all runs of Docker, with the parts that Docker needs.
        try TextFile.write(
            """
            version = 2
            disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper"]

            """, to: "/run/containerd.toml")
        containerd = try ChildProcess(
            "\(shell.prelude)\nexec containerd --config /run/containerd.toml --root /var/lib/containerd",
            output: "/run/containerd.log")
    }

    /// Starts Docker with storage options, and waits until it answers.
    ///
    /// - Parameter shell: A shell that finds more programs for Docker; `nil` for ``shell``.
    func start(root: FilePath, _ options: [String], shell programs: GuestShell? = nil) throws {
        // Without udevd Docker wants to be told that this is meant.
        let words = (["dm.override_udev_sync_check=true"] + options).map { "--storage-opt='\($0)'" }
        try Shell.run("rm -f /run/docker.sock")
        let daemon = try ChildProcess(
            """
            \((programs ?? shell).prelude)
            exec dockerd --data-root '\(root)' --exec-root /run/docker --pidfile /run/docker.pid \
                --host unix:///run/docker.sock --containerd /run/containerd/containerd.sock --bridge=none \
                --iptables=false --ip6tables=false --ip-forward=false --userland-proxy=false \
                --storage-driver devicemapper \(words.joined(separator: " "))
            """, output: Self.log)
        self.daemon = daemon
        try Patience.until(.seconds(120)) {
            guard try daemon.isRunning else {
                throw CheckError("Docker does not start:\n\(try Shell.run("tail -n 30 '\(Self.log)'"))")
            }
            return try shell.succeeds("[ -S /run/docker.sock ] && docker version")
        }
    }

    /// Ends Docker, which takes its pool down.
    func stop() throws {
        daemon?.send(SIGTERM)
        guard try daemon?.wait(.seconds(120)) != nil else { throw CheckError("Docker does not end") }
    }

    /// Ends Docker as a crash does; its pool stays active.
    func kill() throws {
        daemon?.send(SIGKILL)
        guard try daemon?.wait(.seconds(60)) != nil else { throw CheckError("Docker cannot be killed") }
        try Shell.run("rm -f /run/docker.pid")
    }
}
