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

    /// The fields of a listing with the space of each row; none where it is not asked for.
    func fields<Row>(_ space: @escaping (Row) -> LayerSpace?) -> [ListingField<Row>] {
        guard isWanted else { return [] }
        func field(_ name: String, _ value: @escaping (LayerSpace) -> UInt64) -> ListingField<Row> {
            ListingField(name, name.uppercased()) { space($0).map { .bytes(value($0)) } ?? .none }
        }
        return [field("mapped", \.mapped), field("exclusive", \.exclusive), field("shared", \.shared)]
    }
}
