internal import ArgumentParser
internal import LayerStore
internal import SystemPackage

/// The command `mount`.
struct MountLayer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mount",
        abstract: "Mount a layer and print the path of its content.",
        discussion: "A layer that is mounted already stays so, and its path is printed.")

    @Argument(help: "The id of the layer.")
    var id: String

    @Option(help: ArgumentHelp("The SELinux label of everything in the layer.", valueName: "label"))
    var label: String?

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let path = try options.openStore().mount(LayerID(id), label: label).string
        try options.output.print(json: ["id": id, "path": path], text: path)
    }
}
