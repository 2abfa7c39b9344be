internal import ArgumentParser
internal import LayerStore

/// The option `--parent`: the layer to compare with.
struct ParentOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The layer to compare with; base for an empty one. Without it, the layer that this one was made from.",
            valueName: "id"))
    var parent: String?

    /// The layer, if one is named.
    var id: LayerID? {
        get throws { try parent.map { $0 == LayerID.base.text ? .base : try LayerID($0) } }
    }
}
