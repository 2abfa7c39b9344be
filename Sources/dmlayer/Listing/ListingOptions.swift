internal import ArgumentParser

/// The options of every command that lists something.
struct ListingOptions: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Print only the ids, or keys, each on a line.")
    var quiet = false

    @Option(help: ArgumentHelp("Sort by a column.", valueName: "column"))
    var sort: String?

    @Flag(help: "Reverse the order.")
    var reverse = false

    @Option(
        help: ArgumentHelp(
            "Print each row so, as in “{{.id}}\\t{{.size}}” or “table {{.id}}\\t{{.size}}”.", valueName: "format"))
    var format: String?

    @OptionGroup var watch: WatchOption

    func validate() throws {
        guard !quiet || format == nil else { throw ValidationError("Give either --quiet or --format.") }
    }

    /// A listing as these options want it.
    ///
    /// - Throws: `ValidationError` for a column or a field that does not exist, before the command does anything.
    func view<Row>(_ listing: Listing<Row>, _ output: Output) throws -> ListingView<Row> {
        guard format == nil || !output.isJSON else { throw ValidationError("Give either --format or --json.") }
        let order = try sort.map { word in
            guard let field = listing.field(word) else {
                throw ValidationError("--sort \(word): there is no such column; the columns are: \(listing.names)")
            }
            return field
        }
        return ListingView(
            listing: listing, isQuiet: quiet, order: order, isReversed: reverse,
            format: try format.map { try ListingFormat($0, of: listing) })
    }
}
