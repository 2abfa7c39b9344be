internal import ArgumentParser
internal import LayerStore

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
            guard try LayerStore.takeAwayIncomplete(options.rootPath()) else { throw error }
            return
        }
        try store.shutdown()
    }
}
