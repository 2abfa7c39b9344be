internal import ArgumentParser
internal import LayerStore

/// The command `unmount`.
struct UnmountLayer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unmount",
        abstract: "Unmount a layer.",
        discussion: """
            A layer that is not mounted is left as it is. One that is in use is detached from its mount point, and its \
            device goes away when nothing uses it any more; with dm.use_deferred_removal=false it stays mounted, and the \
            error says who uses it.
            """)

    @Argument(help: "The id of the layer.")
    var id: String

    @OptionGroup var options: GlobalOptions

    func run() throws {
        if let users = try options.openStore().unmount(LayerID(id)).users {
            Output.note(
                "layer \(id) is detached, and its device stays until nothing uses it; now it is in use by \(users)")
        }
    }
}
