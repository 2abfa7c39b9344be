internal import ArgumentParser
internal import LayerStore
internal import SystemPackage
internal import ThinProvisioning

/// The command `inspect`.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Print what is known about a layer.")

    @Argument(help: "The id of the layer, or base for the base device.")
    var id: String

    @OptionGroup var space: SpaceOption
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let id = id == LayerID.base.text ? LayerID.base : try LayerID(id)
        let store = try options.openStore()
        let details = try store.details(of: id)
        let space = try space.read(store)[id]
        let record = details.record
        var rows = [
            ["ID:", id.text],
            ["Parent:", record.parent ?? "-"],
            ["Device ID:", record.deviceID.description],
            ["Device name:", details.deviceName],
            ["Size:", ByteSize.decimal(record.size)],
            ["Transaction ID:", "\(record.transactionID)"],
            ["Device:", details.devicePath?.string ?? "not active"],
            ["Mounted:", details.mountPath?.string ?? "no"],
        ]
        if let mapped = space?.mapped ?? details.mappedBytes { rows.append(["Mapped:", ByteSize.decimal(mapped)]) }
        if let space {
            rows.append(["Exclusive:", ByteSize.decimal(space.exclusive)])
            rows.append(["Shared:", ByteSize.decimal(space.shared)])
        }
        try options.output.print(json: DetailsJSON(details, space), text: Columns.aligned(rows))
    }
}

private struct DetailsJSON: Encodable {
    let details: LayerDetails
    let space: LayerSpace?

    init(_ details: LayerDetails, _ space: LayerSpace?) {
        self.details = details
        self.space = space
    }

    private enum CodingKeys: String, CodingKey {
        case deviceName = "device_name"
        case devicePath = "device_path"
        case mountPath = "mount_path"
        case mappedBytes = "mapped_bytes"
    }

    func encode(to encoder: any Encoder) throws {
        try LayerJSON(details.id, details.record, space).encode(to: encoder)
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(details.deviceName, forKey: .deviceName)
        try fields.encodeIfPresent(details.devicePath?.string, forKey: .devicePath)
        try fields.encodeIfPresent(details.mountPath?.string, forKey: .mountPath)
        try fields.encodeIfPresent(details.mappedBytes, forKey: .mappedBytes)
    }
}
