internal import ArgumentParser
internal import LayerStore

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
        try options.openStore().shutdown()
    }
}
