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

    @Flag(name: .shortAndLong, help: "Print the keys only.")
    var quiet = false

    @OptionGroup var space: SpaceOption
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let store = try options.openStore()
        let spaces = try space.read(store)
        let snapshots = try store.layers().compactMap(Entry.init).sorted { $0.snapshot.key < $1.snapshot.key }
        let headings =
            ["KEY", "KIND", "LAYER", "DEVICE ID", "BYTES"] + (space.isWanted ? LayerSpace.headings : []) + ["PARENT"]
        let lines = snapshots.map { entry in
            [
                entry.snapshot.key, entry.snapshot.kind.rawValue, entry.id.text, entry.record.deviceID.description,
                entry.snapshot.committedBytes.map(ByteSize.decimal) ?? "-",
            ] + (space.isWanted ? spaces[entry.id]?.cells ?? ["-", "-", "-"] : [])
                + [entry.snapshot.parent.isEmpty ? "-" : entry.snapshot.parent]
        }
        try options.output.print(
            json: snapshots.map { LayerJSON($0.id, $0.record, spaces[$0.id]) },
            text: quiet ? snapshots.map(\.snapshot.key).joined(separator: "\n") : Columns.aligned([headings] + lines))
    }

    private struct Entry {
        let id: LayerID
        let record: LayerRecord
        let snapshot: SnapshotRecord

        /// Tells the user of a damaged file, and leaves layers out that containerd has not made.
        init?(_ layer: LayerListing) {
            switch layer {
            case .layer(let id, let record):
                guard let snapshot = record.snapshot else { return nil }
                (self.id, self.record, self.snapshot) = (id, record, snapshot)
            case .damaged(let name, let reason):
                Output.note("layer \(name): \(reason)")
                return nil
            }
        }
    }
}
