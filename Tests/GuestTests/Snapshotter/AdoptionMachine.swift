import Glibc
import SystemPackage
import TestSupport

/// A machine whose containerd has its own devmapper snapshotter, on a pool that a script made.
final class AdoptionMachine {
    static let socket = "/run/snapshotter.sock"
    /// `root_path` of the snapshotter.
    static let folder = "/var/lib/containerd/devmapper"
    static let mountPoint: FilePath = "/run/mnt"
    /// containerd's own database.
    static let database = "/var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db"

    let shell: GuestShell
    let layer: Command
    /// The name of the snapshotter in the present configuration.
    private(set) var snapshotter = "devmapper"
    private let checks: Checks
    private let version: String
    private let filesystem: String
    private var starts = 0
    private var service: ChildProcess?
    private var containerd: ChildProcess?

    init(_ checks: Checks, program: FilePath, containerd: FilePath, version: String, filesystem: String) throws {
        self.checks = checks
        self.version = version
        self.filesystem = filesystem
        shell = try GuestShell.unpacked(containerd)
        layer = Command(program: program, root: "/run/work/store", shell: shell)
        checks.explain(by: "/run/service.log* /run/containerd.log*")
    }

    /// Makes the disk, the pool and the two configurations.
    func prepare() throws {
        try GuestMachine.makeDisk("4G", at: "/run/work")
        try Shell.run(
            """
            set -e
            mkdir '\(Self.mountPoint)'
            mount -t tmpfs tmpfs /var/lib
            truncate -s 2G /run/work/data
            truncate -s 16M /run/work/metadata
            """)
        try GuestMachine.mountControlGroups()
        try activatePool()
        let isNew = version == "2"
        func unpacking(_ snapshotter: String) -> String {
            """
            [[plugins."io.containerd.transfer.v1.local".unpack_config]]
            platform = "linux"
            snapshotter = "\(snapshotter)"
            differ = "walking"
            """
        }
        let head = "version = \(isNew ? 3 : 2)"
        try TextFile.write(
            """
            \(head)
            disabled_plugins = ["io.containerd.grpc.v1.cri"]
            [plugins."io.containerd.snapshotter.v1.devmapper"]
            pool_name = "pool"
            root_path = "\(Self.folder)"
            base_image_size = "320MB"
            fs_type = "\(filesystem)"
            \(isNew ? unpacking("devmapper") : "")

            """, to: "/run/own.toml")
        try TextFile.write(
            """
            \(head)
            disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper"]
            [proxy_plugins.dmlayer]
            type = "snapshot"
            address = "\(Self.socket)"
            \(isNew ? unpacking("dmlayer") : "")

            """, to: "/run/proxy.toml")
    }

    /// Activates the pool as the scripts of the manuals do.
    func activatePool() throws {
        try shell.run(
            """
            set -e
            data=$(losetup -f --show /run/work/data)
            metadata=$(losetup -f --show /run/work/metadata)
            dmsetup create pool --table \
                "0 $(blockdev --getsz "$data") thin-pool $metadata $data 128 32768 1 skip_block_zeroing"
            """)
    }

    /// Takes the pool down, as the end of the machine does.
    func takePoolDown() throws {
        try shell.run(
            """
            set -e
            dmsetup remove pool
            for file in data metadata; do losetup -d "$(losetup -j "/run/work/$file" | cut -d: -f1)"; done
            """)
    }

    // MARK: Programs

    func startContainerd(_ configuration: String) throws {
        starts += 1
        snapshotter = configuration == "own" ? "devmapper" : "dmlayer"
        containerd = try ChildProcess(
            "\(shell.prelude)\nexec containerd --config /run/\(configuration).toml",
            output: FilePath("/run/containerd.log.\(starts)"))
        try checks.wait(for: "a start of containerd") {
            try shell.succeeds("ctr snapshots --snapshotter \(snapshotter) ls")
        }
    }

    func stopContainerd() throws {
        containerd?.send(SIGTERM)
        guard try containerd?.wait(.seconds(60)) != nil else { throw CheckError("containerd does not end") }
        containerd = nil
    }

    func startService() throws {
        starts += 1
        let log = FilePath("/run/service.log.\(starts)")
        service = try layer.start("serve --socket \(Self.socket)", log: log)
        try checks.wait(for: "a start of the service") { try TextFile.read(log).contains("the service is ready") }
    }

    func stopService() throws {
        service?.send(SIGTERM)
        let status = try service?.wait(.seconds(60))
        guard status == 0 else { throw CheckError("the service ended with status \(status ?? -1)") }
        service = nil
    }

    // MARK: Facts

    /// The list of all snapshots, and the bytes of each.
    func snapshots() throws -> String {
        try shell.run(
            "ctr snapshots --snapshotter \(snapshotter) ls && ctr snapshots --snapshotter \(snapshotter) usage")
    }

    /// The files of containerd's snapshotter, by their content and times.
    func files() throws -> String {
        try shell.run("cd '\(Self.folder)' && sha256sum * && stat -c '%n %s %y' *")
    }

    /// Everything that the metadata of the pool says; the pool is active.
    func poolMetadata() throws -> String {
        try shell.run("'\(layer.program)' metadata dump \"$(losetup -j /run/work/metadata | cut -d: -f1)\"")
    }

    /// The content of a file in an active snapshot, mounted as containerd says.
    func content(of file: String, in key: String) throws -> String {
        try shell.everything(
            """
            set -e
            # “mount -t TYPE DEVICE DIRECTORY -o OPTIONS”, with nothing behind -o where there are no options.
            set -- $(ctr snapshots --snapshotter \(snapshotter) mounts '\(Self.mountPoint)' '\(key)')
            mount -t "$3" ${7:+-o "$7"} "$4" "$5"
            cat '\(Self.mountPoint)/\(file)'
            umount '\(Self.mountPoint)'
            """)
    }
}
