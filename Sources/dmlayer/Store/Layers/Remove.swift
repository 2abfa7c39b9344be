internal import ArgumentParser
internal import LayerStore

/// The command `remove`.
struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove layers.",
        discussion: """
            Layers that were made from them stay what they are. Removing what does not exist succeeds, and standard error \
            says that there was no such layer. With --json there is an object for each layer that was dealt with; its state \
            is removed, deferred (until the users end) or absent.
            """)

    @Argument(help: "The ids of the layers.")
    var ids: [String]

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let ids = try ids.map { try LayerID($0) }
        let store = try options.openStore()
        var released: [ReleaseJSON] = []
        var failure: (any Error)?
        for id in ids {
            do {
                let release = try store.remove(id)
                released.append(ReleaseJSON(id, release, done: "removed"))
                if let users = release.users {
                    Output.note(
                        "layer \(id) is removed, and its data stays until nothing uses it; now it is in use by \(users)"
                    )
                }
                if release == .absent { Output.note("there was no layer \(id)") }
            } catch {
                failure = error
                break
            }
        }
        // Also what was removed before one could not be.
        try options.output.print(json: released, text: nil)
        if let failure { throw failure }
    }
}
