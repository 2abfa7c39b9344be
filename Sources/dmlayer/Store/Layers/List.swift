internal import ArgumentParser
internal import LayerStore
internal import ThinProvisioning

/// The command `list`.
struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the layers.",
        discussion: """
            Each line has the id, the number of the thin device, the size and the parent. A metadata file that cannot \
            be understood is named on standard error, and in JSON with the reason.
            """)

    @OptionGroup var space: SpaceOption
    @OptionGroup(title: "LISTING OPTIONS") var listing: ListingOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let view = try listing.view(Self.listing(space), options.output)
        try listing.watch.run(options.output) { output in
            let store = try options.openStore()
            let spaces = try space.read(store)
            let entries = try store.layers().map { layer -> Entry in
                switch layer {
                case .layer(let id, let record): return .layer(id, record, spaces[id])
                case .damaged(let name, let reason):
                    Output.note("layer \(name): \(reason)")
                    return .damaged(id: name, error: reason)
                }
            }
            try view.print(entries, to: output) { $0 }
        }
    }

    private static func listing(_ space: SpaceOption) -> Listing<Entry> {
        Listing(
            fields: [
                ListingField("id", "ID") { .text($0.id) },
                ListingField("device_id", "DEVICE ID") { $0.fact { .number(Int64($0.deviceID.value)) } },
                ListingField("size", "SIZE") { $0.fact { .bytes($0.size) } },
            ] + space.fields { if case .layer(_, _, let space) = $0 { space } else { nil } } + [
                ListingField("parent", "PARENT") { $0.fact { ListingValue($0.parent) } },
                ListingField("created", "CREATED", isColumn: false) {
                    $0.fact { $0.created.map(ListingValue.number) ?? .none }
                },
                ListingField("transaction_id", "TRANSACTION ID", isColumn: false) {
                    $0.fact { .number(Int64(clamping: $0.transactionID)) }
                },
            ], key: \.id, isInText: { if case .layer = $0 { true } else { false } })
    }

    /// A layer, or a metadata file that cannot be understood, which only the form in JSON has.
    private enum Entry: Encodable {
        case layer(LayerID, LayerRecord, LayerSpace?)
        case damaged(id: String, error: String)

        var id: String {
            switch self {
            case .layer(let id, _, _): id.text
            case .damaged(let id, _): id
            }
        }

        /// A fact of the layer's record.
        func fact(_ value: (LayerRecord) -> ListingValue) -> ListingValue {
            if case .layer(_, let record, _) = self { value(record) } else { .none }
        }

        private enum CodingKeys: String, CodingKey {
            case id
            case error
        }

        func encode(to encoder: any Encoder) throws {
            switch self {
            case .layer(let id, let record, let space): try LayerJSON(id, record, space).encode(to: encoder)
            case .damaged(let id, let error):
                var fields = encoder.container(keyedBy: CodingKeys.self)
                try fields.encode(id, forKey: .id)
                try fields.encode(error, forKey: .error)
            }
        }
    }
}
