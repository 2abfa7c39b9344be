internal import ArgumentParser
internal import LayerStore

/// The command `unmount`.
struct UnmountLayer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unmount",
        abstract: "Unmount a layer.",
        discussion: "A layer that is not mounted is left as it is.")

    @Argument(help: "The id of the layer.")
    var id: String

    @OptionGroup var options: GlobalOptions

    func run() throws {
        try options.openStore().unmount(LayerID(id))
    }
}
