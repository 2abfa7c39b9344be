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
            in use stays mounted, and so does the pool; the error names the process that uses it. What an init that was killed has \
            left is taken away.
            """)

    @Flag(help: "Also where the pool has the last copy of a file that was deleted or replaced, which is lost then.")
    var force = false

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
        try store.shutdown(losingFiles: force)
        try options.output.print(json: ["root": store.root.string, "state": "down"], text: nil)
    }
}
