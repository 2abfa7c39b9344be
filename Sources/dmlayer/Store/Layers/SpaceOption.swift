internal import ArgumentParser
internal import LayerStore

/// The option `--space`.
struct SpaceOption: ParsableArguments {
    @Flag(
        name: .customLong("space"),
        help: ArgumentHelp(
            "Print how much space each layer has in the pool, alone and shared with other layers.",
            discussion: "An active pool holds a snapshot of its metadata meanwhile, which takes a few commits."))
    var isWanted = false

    /// The space of each layer; none where it is not asked for.
    func read(_ store: LayerStore) throws -> [LayerID: LayerSpace] {
        isWanted ? try store.space().layers : [:]
    }
}

extension LayerSpace {
    /// The cells of a table with the headings ``headings``.
    var cells: [String] { [mapped, exclusive, shared].map(ByteSize.decimal) }

    static let headings = ["MAPPED", "EXCLUSIVE", "SHARED"]
}
