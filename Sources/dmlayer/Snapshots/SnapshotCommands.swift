internal import ArgumentParser

/// The commands about the snapshots of containerd.
struct SnapshotCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "List the snapshots of containerd, with the layers that they are.",
        subcommands: [SnapshotList.self])
}
