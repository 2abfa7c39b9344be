import Glibc
import SystemPackage
import TestSupport

/// containerd and `dmlayer serve` in the sandbox, with the configuration that is shipped.
final class ContainerdMachine {
    static let socket = "/run/snapshotter.sock"
    static let metricsSocket = "/run/metrics.sock"
    static let mountPoint: FilePath = "/run/mnt"

    let shell: GuestShell
    let layer: Command
    private let checks: Checks
    private let version: String
    private var logs: [FilePath] = []
    private var service: ChildProcess?
    private var containerd: ChildProcess?

    init(_ checks: Checks, program: FilePath, containerd: FilePath, version: String) throws {
        self.checks = checks
        self.version = version
        shell = try GuestShell.unpacked(containerd)
        layer = Command(program: program, root: "/run/work/store", shell: shell)
        checks.explain(by: "/run/service.log* /run/containerd.log*")
    }

    /// Makes a disk, as a machine has one, and the configurations.
    func prepare() throws {
        try GuestMachine.makeDisk("12G", at: "/run/work")
        try Shell.run("mkdir '\(Self.mountPoint)' && mount -t tmpfs tmpfs /var/lib")
        if try Shell.run("uname -r").hasPrefix("6.1.") {
            try GuestMachine.mountControlGroups()
        } else {
            // Newer kernels have no first version for the memory.
            try Shell.run("mount -t cgroup2 cgroup2 /sys/fs/cgroup")
        }
        // In containerd 2 this leaves the services below the plugin on, which say whether they take the configuration.
        let configuration = "packaging/containerd/config-\(version.prefix(1)).toml"
        try Shell.run(
            """
            {
                sed -n '/^version/p' \(configuration)
                echo 'disabled_plugins = ["io.containerd.grpc.v1.cri"]'
                sed '/^version/d; s|/run/dmlayer/snapshotter.sock|\(Self.socket)|; s/^# capabilities/capabilities/' \
                    \(configuration)
            } > /run/containerd.toml
            """)
        try TextFile.write(
            """
            {"root": "\(layer.root)", "socket": "\(Self.socket)", "metrics-socket": "\(Self.metricsSocket)",
            "metrics-address": "127.0.0.1:9756", "remap-ids": \(version == "2"), "storage-opts": ["dm.loopdatasize=4g",
            "dm.loopmetadatasize=16m", "dm.basesize=300m", "dm.fs=ext4", "dm.min_free_space=1%"]}

            """, to: "/run/service.json")
    }

    private func waitUntil(_ what: String, _ command: String) throws {
        try checks.wait(for: what) { try shell.succeeds(command) }
    }

    func startService() throws {
        let log = FilePath("/run/service.log.\(logs.count)")
        logs.append(log)
        service = try ChildProcess(
            "\(shell.prelude)\nexec '\(layer.program)' --config /run/service.json serve", output: log)
        try checks.wait(for: "a start of the service") { try TextFile.read(log).contains("the service is ready") }
        // containerd tries to reach it now and then.
        if containerd != nil {
            try waitUntil("containerd's way to the service", "ctr snapshots --snapshotter dmlayer ls")
        }
    }

    func stopService() throws {
        service?.send(SIGTERM)
        let status = try service?.wait(.seconds(60))
        guard status == 0 else { throw CheckError("the service ended with status \(status ?? -1)") }
    }

    func killService() throws {
        service?.send(SIGKILL)
        guard try service?.wait(.seconds(60)) != nil else { throw CheckError("the service cannot be killed") }
    }

    func startContainerd() throws {
        containerd = try ChildProcess(
            "\(shell.prelude)\nexec containerd --config /run/containerd.toml",
            output: FilePath("/run/containerd.log.\(logs.count)-\(UInt32.random(in: 0 ... .max))"))
        try waitUntil("a start of containerd", "ctr version")
    }

    func stopContainerd() throws {
        containerd?.send(SIGTERM)
        guard try containerd?.wait(.seconds(60)) != nil else { throw CheckError("containerd does not end") }
        containerd = nil
    }

    /// The lines in which the service has told errors.
    func errors() throws -> String {
        try logs.flatMap { try TextFile.read($0).lines.filter { $0.contains("level=\"error\"") } }
            .joined(separator: "\n")
    }

    /// The answer to a request at the address of the figures, or at their socket, with its head.
    func ask(_ request: String, socket: String = "") throws -> String {
        try shell.run(
            """
            python3 - '\(request)' \(socket) <<'END'
            import socket, sys
            if len(sys.argv) > 2:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(sys.argv[2])
            else:
                connection = socket.create_connection(("127.0.0.1", 9756))
            connection.sendall((sys.argv[1] + " HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n").encode())
            sys.stdout.buffer.write(b"".join(iter(lambda: connection.recv(65536), b"")))
            END
            """)
    }

    /// The service's figures.
    func page(socket: String = "") throws -> String {
        let answer = try ask("GET /metrics", socket: socket)
        guard let end = answer.places(of: "\r\n\r\n").first else { throw CheckError("no answer: \(answer)") }
        return String(decoding: Array(answer.utf8)[(end + 4)...], as: UTF8.self)
    }
}
