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
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let store = try options.openStore()
        let spaces = try space.read(store)
        var entries: [Entry] = []
        var lines = [["ID", "DEVICE ID", "SIZE"] + (space.isWanted ? LayerSpace.headings : []) + ["PARENT"]]
        for layer in try store.layers() {
            switch layer {
            case .layer(let id, let record):
                entries.append(.layer(LayerJSON(id, record, spaces[id])))
                let cells = space.isWanted ? spaces[id]?.cells ?? ["-", "-", "-"] : []
                lines.append(
                    [id.text, record.deviceID.description, ByteSize.decimal(record.size)] + cells
                        + [record.parent ?? "-"])
            case .damaged(let name, let reason):
                entries.append(.damaged(id: name, error: reason))
                Output.note("layer \(name): \(reason)")
            }
        }
        try options.output.print(json: entries, text: Columns.aligned(lines))
    }

    private enum Entry: Encodable {
        case layer(LayerJSON)
        case damaged(id: String, error: String)

        private enum CodingKeys: String, CodingKey {
            case id
            case error
        }

        func encode(to encoder: any Encoder) throws {
            switch self {
            case .layer(let layer): try layer.encode(to: encoder)
            case .damaged(let id, let error):
                var fields = encoder.container(keyedBy: CodingKeys.self)
                try fields.encode(id, forKey: .id)
                try fields.encode(error, forKey: .error)
            }
        }
    }
}
