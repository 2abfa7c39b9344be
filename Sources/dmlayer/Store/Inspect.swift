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

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let id = id == LayerID.base.text ? LayerID.base : try LayerID(id)
        let details = try options.openStore().details(of: id)
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
        if let mapped = details.mappedBytes { rows.append(["Mapped:", ByteSize.decimal(mapped)]) }
        try options.output.print(json: DetailsJSON(details), text: Columns.aligned(rows))
    }
}

private struct DetailsJSON: Encodable {
    let details: LayerDetails

    init(_ details: LayerDetails) {
        self.details = details
    }

    private enum CodingKeys: String, CodingKey {
        case deviceName = "device_name"
        case devicePath = "device_path"
        case mountPath = "mount_path"
        case mappedBytes = "mapped_bytes"
    }

    func encode(to encoder: any Encoder) throws {
        try LayerJSON(details.id, details.record).encode(to: encoder)
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(details.deviceName, forKey: .deviceName)
        try fields.encodeIfPresent(details.devicePath?.string, forKey: .devicePath)
        try fields.encodeIfPresent(details.mountPath?.string, forKey: .mountPath)
        try fields.encodeIfPresent(details.mappedBytes, forKey: .mappedBytes)
    }
}
