import SystemPackage
import TestSupport

/// A disk whose parts are the file system of a root and two disks for a volume group, in the sandbox.
struct GroupDisk {
    /// The sizes of the parts in sectors.
    static let sectors = (root: 98_304, first: 524_288, second: 262_144)
    /// Where the parts begin that stand for disks of their own, in bytes.
    static let parts = [Int64(sectors.root) * 512, Int64(sectors.root + sectors.first) * 512]
    static let first = "/dev/mapper/part1"
    static let second = "/dev/mapper/part2"
    static let store: FilePath = "/run/root/store"

    let program: FilePath
    /// Finds real lvm2, whose configuration is on the root's file system: the pool's profile is a part of what must survive.
    let shell: GuestShell

    /// Makes the parts of a disk disks, and mounts the root.
    init(_ disk: String, program: FilePath, lvm2: FilePath) throws {
        let sizes = Self.sectors
        try Shell.run(
            """
            set -e
            dmsetup create part0 --table '0 \(sizes.root) linear \(disk) 0'
            dmsetup create part1 --table '0 \(sizes.first) linear \(disk) \(sizes.root)'
            dmsetup create part2 --table '0 \(sizes.second) linear \(disk) \(sizes.root + sizes.first)'
            mkdir -p /run/root
            mount -t ext4 /dev/mapper/part0 /run/root
            """)
        self.program = program
        shell = try GuestShell.lvm2(in: lvm2, configuration: "/run/root/etc-lvm")
    }

    func detach() throws {
        try Shell.run("umount /run/root && dmsetup remove part0 part1 part2")
    }

    /// Runs dmlayer on the store.
    @discardableResult
    func layer(_ arguments: String) throws -> String {
        try shell.run("'\(program)' --root '\(Self.store)' \(arguments)")
    }

    func initialize() throws {
        let options = [
            "dm.basesize=64m", "dm.fs=ext4", "dm.min_free_space=1%", "dm.directlvm_device=\(Self.first)",
            "dm.thinp_percent=30", "dm.thinp_metapercent=1",
        ]
        try layer(options.map { "--storage-opt \($0)" }.joined(separator: " ") + " init")
    }

    /// The content of the file of a layer; it repeats the layer's name.
    static func content(_ name: String) -> String {
        (1...20_000).map { "\(name) \($0)\n" }.joined()
    }

    /// Makes a layer with a file, which is durable when this returns.
    func keep(_ name: String) throws {
        try layer("create \(name)")
        let path = FilePath(try layer("mount \(name)")).appending("file")
        try TextFile.write(Self.content(name), to: path)
        try layer("unmount \(name)")
    }

    /// Starts the monitor of the pool.
    func startMonitor(_ options: String = "", log: FilePath) throws -> ChildProcess {
        try ChildProcess(
            "\(shell.prelude)\nexec '\(program)' --root '\(Self.store)' pool monitor \(options)", output: log)
    }
}
