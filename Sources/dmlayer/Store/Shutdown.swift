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

    @Flag(help: "Also where the pool has the last copy of a file that was deleted or replaced, which is lost then.")
    var force = false

    @OptionGroup var options: GlobalOptions

    func run() throws {
        try options.openStore().shutdown(losingFiles: force)
    }
}
