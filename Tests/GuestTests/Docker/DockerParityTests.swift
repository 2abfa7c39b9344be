import SystemPackage
import TestSupport

/// The same storage options give the same store, whether a real Docker reads them or dmlayer.
///
/// For each set of options both make a root and three layers on it, one after the other, and everything that can be seen
/// of the two is compared as text. These things differ, and are not compared or are written in the same way:
///
/// - The pool's name follows from the number and inode of the root's directory. Both must have it by Docker's rule.
/// - The numbers of loop devices and mapped devices are the next free ones. The files behind them must be the same.
/// - mkfs makes the UUIDs. The one that is kept must be the base device's.
/// - Docker counts its changes in the pool in `transaction_id`. dmlayer does not, so that lvm2 can activate a pool.
/// - `transaction-metadata` is Docker's file about that. dmlayer keeps `store.json`, `lock` and `.reserved-device-ids.*`.
/// - dmlayer adds the fields `parent` and `created` to a layer's file, and Docker does not read them.
/// - In the row “Library Version” Docker names libdevmapper. “Zero New Blocks” is a row of dmlayer's, behind Docker's.
/// - As the source of a mount Docker names the node in /dev/mapper. dmlayer names the kernel's node, which needs no udev.
/// - Docker leaves the kernel's `max_retries` of XFS, for ever, so that nothing can end a process when the pool is full.
///   dmlayer writes 0. With `dm.xfs_nospace_max_retries` Docker cannot mount at all without udevd.
final class DockerParityTests {
    private static let small = ["dm.loopdatasize=2G", "dm.loopmetadatasize=16M"]
    private static let sets: [(name: String, options: [String])] = [
        ("no options", []),
        ("ext4", small + ["dm.basesize=1G", "dm.fs=ext4"]),
        ("xfs in blocks of 512K", small + ["dm.basesize=2G", "dm.fs=xfs", "dm.blocksize=512K"]),
        (
            "arguments for mkfs and mount",
            small + [
                "dm.basesize=1G", "dm.fs=ext4", "dm.mkfsarg=-i65536", "dm.mkfsarg=-m0", "dm.mountopt=nodiscard",
                "dm.mountopt=noatime,commit=30",
            ]
        ),
        (
            "nothing deferred",
            small + [
                "dm.basesize=1G", "dm.fs=ext4", "dm.use_deferred_removal=false", "dm.use_deferred_deletion=false",
                "dm.min_free_space=25%",
            ]
        ),
        (
            "removals deferred, deletions not",
            small + [
                "dm.basesize=1G", "dm.fs=xfs", "dm.use_deferred_removal=true", "dm.use_deferred_deletion=false",
                "dm.blkdiscard=false", "dm.min_free_space=0%",
            ]
        ),
    ]

    private let checks: Checks
    private let program: FilePath
    private let machine: DockerMachine

    init(_ checks: Checks, program: FilePath, docker: FilePath) throws {
        self.checks = checks
        self.program = program
        machine = try DockerMachine(docker)
        try Shell.run("mkdir -p /run/image/bin && cp /run/kernel/busybox /run/image/bin/")
    }

    func run() throws {
        for (name, options) in Self.sets {
            let (theirs, layers) = try storeOfDocker(options)
            let ours = try storeOfOurs(options, layers)
            checks.check("\(name): as many facts", theirs.count == ours.count)
            for (expected, actual) in zip(theirs, ours) {
                checks.check("\(name): \(expected.name)", actual.text, expected.text)
            }
        }
    }

    /// Lets Docker make a root, an image and a container.
    private func storeOfDocker(
        _ options: [String]
    ) throws -> (facts: [(name: String, text: String)], layers: [String]) {
        let root: FilePath = "/var/lib/docker"
        let shell = machine.shell
        try machine.start(root: root, options)
        let facts = try StoreFacts(root.appending("devicemapper"), shell)
        try facts.keepPool()
        try facts.keepRows(
            shell.run("docker info 2> /dev/null | sed -n '/Pool Name:/,/Library Version:/s/^  //p'"))
        try facts.keepBase()
        try shell.run(
            """
            tar -C /run/image -c bin | docker import - image:1 > /dev/null &&
            docker run --detach --network none --name container image:1 /bin/busybox sleep 1000 > /dev/null
            """)
        let places = ["sha256/*/cache-id", "mounts/*/init-id", "mounts/*/mount-id"]
        let layers = try places.map { try shell.run("cat '\(root)'/image/devicemapper/layerdb/\($0)").joinedWords }
        try facts.keepLayers(layers)
        try shell.run("docker kill container > /dev/null")
        try machine.stop()
        try facts.keepFiles()
        try shell.run("rm -rf '\(root)'")
        return (facts.facts, layers)
    }

    /// Makes the same with dmlayer.
    private func storeOfOurs(_ options: [String], _ layers: [String]) throws -> [(name: String, text: String)] {
        let root: FilePath = "/var/lib/dmlayer"
        let layer = Command(program: program, root: root, shell: machine.shell)
        func must(_ arguments: String) throws { _ = try layer.output(arguments) }
        try must(options.map { "--storage-opt='\($0)'" }.joined(separator: " ") + " init")
        let facts = try StoreFacts(root, machine.shell)
        try facts.keepPool()
        let rows = try layer.output("info").lines.filter { !$0.hasPrefix("Zero New Blocks") }
        try facts.keepRows(rows.joined(separator: "\n"))
        try facts.keepBase()
        guard layers.count == 3 else { throw CheckError("Docker has made other layers: \(layers)") }
        try must("create \(layers[0])")
        try must("mount \(layers[0])")
        try must("unmount \(layers[0])")
        try must("create \(layers[1]) --parent \(layers[0])")
        try must("create \(layers[2]) --parent \(layers[1])")
        try must("mount \(layers[2])")
        try facts.keepLayers(layers)
        try must("shutdown")
        try facts.keepFiles()
        try machine.shell.run("rm -rf '\(root)'")
        return facts.facts
    }
}
