internal import ArgumentParser

/// The group `pool`: what stands below the layers.
struct Pool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pool",
        abstract: "Look after the thin pool that the layers are in.",
        subcommands: [
            PoolStatus.self,
            PoolResize.self,
            PoolActivate.self,
            PoolDeactivate.self,
            PoolExtend.self,
            PoolMap.self,
            PoolMonitorCommand.self,
        ])
}
