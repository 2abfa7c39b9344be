import SystemPackage
import TestSupport

/// A root that Docker and dmlayer have in turns.
struct DockerDataRoot {
    /// Docker's own root.
    let dataRoot: FilePath
    /// The root of the driver, which is dmlayer's.
    let root: FilePath
    /// Where the pool's files are.
    let poolFiles: FilePath
    let layer: Command
    private let shell: GuestShell

    init(_ dataRoot: FilePath, poolFiles: FilePath? = nil, program: FilePath, shell: GuestShell) {
        self.dataRoot = dataRoot
        root = dataRoot.appending("devicemapper")
        self.poolFiles = poolFiles ?? root.appending("devicemapper")
        self.shell = shell
        layer = Command(program: program, root: root, shell: shell)
    }

    /// The layer of a container; Docker must run.
    func layer(of container: String) throws -> String {
        let id = try shell.run("docker inspect --format '{{.Id}}' '\(container)'").joinedWords
        return try TextFile.read(
            dataRoot.appending("image/devicemapper/layerdb/mounts/\(id)/mount-id")
        ).joinedWords
    }

    /// The numbers of the devices that have a metadata file.
    func registered() throws -> String {
        try shell.output(
            """
            cd '\(root)/metadata'
            find . -type f ! -name '.*' ! -name '*-metadata' -exec jq .device_id {} + | sort -n
            """
        ).joinedWords
    }

    /// Runs a command on the pool's metadata, whose device is its last argument.
    func withMetadata(_ command: String) throws -> String {
        let device = try shell.run("losetup --find --show --read-only '\(poolFiles)/metadata'")
        let said = try shell.everything("\(command) '\(device)'")
        try shell.run("losetup --detach '\(device)'")
        return said
    }

    /// The numbers of the thin devices in the pool.
    func numbers() throws -> String {
        try withMetadata("thin_ls --no-headers --format DEV")
            .split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.sorted().map { "\($0)" }
            .joined(separator: " ")
    }

    /// Everything that is left in the root.
    func state() throws -> String {
        let files = try shell.output(
            """
            cd '\(root)/metadata'
            find . -type f ! -name '.*' ! -name deviceset-metadata -printf '%f ' -exec cat {} \\; -printf '\\n' | sort
            """)
        let check = try withMetadata("thin_check --quiet")
        let devices = try withMetadata(
            "thin_ls --no-headers --format DEV,MAPPED_BLOCKS,EXCLUSIVE_BLOCKS,TRANSACTION,CREATE_TIME")
        return [files, check, devices].joined(separator: "\n")
    }

    /// How many devices of Docker's naming are active.
    static func activeDevices() throws -> String { try Shell.run("dmsetup ls | grep -c docker- || true") }
}
