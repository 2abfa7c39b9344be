internal import ArgumentParser
internal import LayerStore
internal import ThinProvisioning

/// The command `snapshot list`.
struct SnapshotList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the snapshots of containerd, with the layers that they are.",
        discussion: """
            Each line has the key that containerd uses, the kind (active, view or committed), the id of the layer, the \
            number of its thin device, the bytes of a committed snapshot with all its parents, and the key of the \
            parent. It works while the service runs, and calls nothing of it. Snapshots are sorted by their keys.
            """)

    @OptionGroup var space: SpaceOption
    @OptionGroup(title: "LISTING OPTIONS") var listing: ListingOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let view = try listing.view(Self.listing(space), options.output)
        try listing.watch.run(options.output) { output in
            let store = try options.openStore()
            let spaces = try space.read(store)
            let snapshots = try store.layers().compactMap { Entry($0, spaces) }
                .sorted { $0.snapshot.key < $1.snapshot.key }
            try view.print(snapshots, to: output) { $0.map { LayerJSON($0.id, $0.record, $0.space) } }
        }
    }

    private static func listing(_ space: SpaceOption) -> Listing<Entry> {
        Listing(
            fields: [
                ListingField("key", "KEY") { .text($0.snapshot.key) },
                ListingField("kind", "KIND") { .text($0.snapshot.kind.rawValue) },
                ListingField("id", "LAYER") { .text($0.id.text) },
                ListingField("device_id", "DEVICE ID") { .number(Int64($0.record.deviceID.value)) },
                ListingField("committed_bytes", "BYTES") {
                    $0.snapshot.committedBytes.map(ListingValue.bytes) ?? .none
                },
            ] + space.fields(\.space) + [
                ListingField("parent", "PARENT") {
                    ListingValue($0.snapshot.parent.isEmpty ? nil : $0.snapshot.parent)
                },
                ListingField("size", "SIZE", isColumn: false) { .bytes($0.record.size) },
                ListingField("created_ns", "CREATED", isColumn: false) { .number($0.snapshot.created) },
                ListingField("updated_ns", "UPDATED", isColumn: false) { .number($0.snapshot.updated) },
            ], key: \.snapshot.key)
    }

    private struct Entry {
        let id: LayerID
        let record: LayerRecord
        let snapshot: SnapshotRecord
        let space: LayerSpace?

        /// Tells the user of a damaged file, and leaves layers out that containerd has not made.
        init?(_ layer: LayerListing, _ spaces: [LayerID: LayerSpace]) {
            switch layer {
            case .layer(let id, let record):
                guard let snapshot = record.snapshot else { return nil }
                (self.id, self.record, self.snapshot, space) = (id, record, snapshot, spaces[id])
            case .damaged(let name, let reason):
                Output.note("layer \(name): \(reason)")
                return nil
            }
        }
    }
}
