internal import ArgumentParser
internal import LayerStore

/// The command `why-busy`.
struct WhyBusy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why-busy",
        abstract: "Print the processes and mounts that use a layer.",
        discussion: """
            Processes with something of the layer open, mounts in any mount namespace, and devices on top of its device. \
            Only what this process may see is shown: run it as root outside any container.
            """)

    @Argument(help: "The id of the layer, or base for the base device.")
    var id: String

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let id = id == LayerID.base.text ? LayerID.base : try LayerID(id)
        let users = try options.openStore().users(of: id)
        try options.output.print(
            json: users.map(LayerUserJSON.init),
            text: users.isEmpty ? nil : users.map(\.description).joined(separator: "\n")
        )
    }
}
