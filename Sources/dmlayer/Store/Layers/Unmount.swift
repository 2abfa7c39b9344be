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
            error says who uses it. With --json, the state of the layer is unmounted, or deferred until the users end.
            """)

    @Argument(help: "The id of the layer.")
    var id: String

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let id = try LayerID(id)
        let release = try options.openStore().unmount(id)
        if let users = release.users {
            Output.note(
                "layer \(id) is detached, and its device stays until nothing uses it; now it is in use by \(users)")
        }
        try options.output.print(json: ReleaseJSON(id, release, done: "unmounted"), text: nil)
    }
}
