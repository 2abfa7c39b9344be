#if Daemon
internal import ArgumentParser
internal import ContainerdSnapshotter
internal import SystemPackage

/// The command `snapshot rename`.
struct SnapshotRename: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rename",
        abstract: "Write a copy of containerd's database in which another snapshotter has the snapshots.",
        discussion: """
            containerd lets no proxy plugin have the name of a snapshotter that is built in. After “snapshot adopt”, its images \
            and containers go on with the service when the copy is in the place of meta.db. Stop containerd first. The database \
            itself is not changed: keep it for the way back.
            """)

    @Option(
        help: ArgumentHelp(
            "containerd's database. (default: \(SnapshotterRenaming.usualDatabase))", valueName: "file"))
    var database: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("The file for the copy, which must not exist.", valueName: "file"))
    var output: String

    @Option(help: ArgumentHelp("The name of the snapshotter until now. (default: devmapper)", valueName: "name"))
    var from: String?

    @Option(help: ArgumentHelp("The name of the proxy plugin. (default: dmlayer)", valueName: "name"))
    var to: String?

    @OptionGroup var options: OutputOptions

    func validate() throws {
        guard !(to ?? "dmlayer").isEmpty, !(from ?? "devmapper").isEmpty else {
            throw ValidationError("the name of a snapshotter cannot be empty")
        }
    }

    func run() throws {
        let renaming = try SnapshotterRenaming(
            of: database.map { FilePath($0) } ?? SnapshotterRenaming.usualDatabase, from: from ?? "devmapper",
            to: to ?? "dmlayer")
        // Unlike other outputs, it must not replace a file: that could be the database. A path that cannot be examined cannot be
        // written either, and the next step says why.
        guard (try? Stat(FilePath(output))) == nil else { throw Failure("\(output) exists; name a file that does not") }
        try OutputFile(FilePath(output), permissions: .ownerReadWrite).write { file in
            _ = try file.writeAll(renaming.content)
        }
        try options.output.print(
            json: Report(output: output, snapshots: renaming.snapshotCount, containers: renaming.containerCount),
            text: "\(output) has \(renaming.snapshotCount) snapshots and \(renaming.containerCount) containers of the "
                + "snapshotter \(to ?? "dmlayer")")
    }

    private struct Report: Encodable {
        let output: String
        let snapshots: Int
        let containers: Int
    }
}
#endif
