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
            in use stays mounted, and so does the pool; the error says who uses it.
            """)

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let store = try options.openStore()
        try store.shutdown()
        try options.output.print(json: ["root": store.root.string, "state": "down"], text: nil)
    }
}
