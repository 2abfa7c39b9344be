internal import ArgumentParser
internal import LayerStore

/// The command `remove`.
struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove layers.",
        discussion: "Layers that were made from them stay what they are. Removing what does not exist succeeds.")

    @Argument(help: "The ids of the layers.")
    var ids: [String]

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let ids = try ids.map { try LayerID($0) }
        let store = try options.openStore()
        for id in ids {
            if let users = try store.remove(id).users {
                Output.note(
                    "layer \(id) is removed, and its data stays until nothing uses it; now it is in use by \(users)")
            }
        }
    }
}
