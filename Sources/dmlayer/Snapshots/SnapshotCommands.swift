internal import ArgumentParser

/// The commands about the snapshots of containerd.
struct SnapshotCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "List the snapshots of containerd, and take over those of its own devmapper snapshotter.",
        subcommands: [SnapshotList.self] + ofService)

    /// The commands that need the trait `Daemon`.
    #if Daemon
    private static let ofService: [any ParsableCommand.Type] = [SnapshotAdopt.self, SnapshotRename.self]
    #else
    private static let ofService: [any ParsableCommand.Type] = []
    #endif
}
