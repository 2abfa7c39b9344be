internal import ArgumentParser
internal import LayerStore
internal import SystemPackage

/// The command `shutdown`.
struct Shutdown: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shutdown",
        abstract: "Unmount every layer and take the pool down.",
        discussion: """
            Everything stays on the disk, and the next command that needs the pool activates it again. A layer that is \
            in use stays mounted, and so does the pool; the error says who uses it. What an init that was killed has \
            left is taken away.
            """)

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let store: LayerStore
        do {
            store = try options.openStore()
        } catch let error as LayerStoreError where error.code == .notInitialized {
            let root = try options.rootPath()
            guard try LayerStore.takeAwayIncomplete(root) else { throw error }
            return try options.output.print(json: ["root": root.string, "state": "down"], text: nil)
        }
        try store.shutdown()
        try options.output.print(json: ["root": store.root.string, "state": "down"], text: nil)
    }
}
