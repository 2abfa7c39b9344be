internal import ArgumentParser

/// The command `dm splitname`.
struct DMSplitName: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "splitname",
        abstract: "Print the volume group, the logical volume and the layer in the name of a device of LVM's.")

    @Argument(help: "The name.")
    var name: String

    @OptionGroup var options: OutputOptions

    func run() throws {
        let parts = SplitName(name)
        try options.output.print(
            json: ["volume_group": parts.group, "logical_volume": parts.volume, "layer": parts.layer],
            text: [parts.group, parts.volume, parts.layer].filter { !$0.isEmpty }.joined(separator: " "))
    }
}
