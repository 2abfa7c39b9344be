internal import ArgumentParser
internal import LayerStore

/// The command `trim`.
struct Trim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trim",
        abstract: "Give back space that nothing uses.",
        discussion: """
            Removals that wait are ended, the file systems of the layers discard what their files do not use, and the data \
            file of a loop pool gives back to the disk what the pool does not use. Without an id the layers are those that \
            are mounted; one that is named and not mounted is mounted for the time.
            """)

    @Argument(help: "The ids of the layers.")
    var ids: [String] = []

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let ids = try ids.map { try LayerID($0) }
        let report = try options.openStore().trim(ids.isEmpty ? nil : ids)
        var lines = report.layers.map { "\($0.id): \(ByteSize.decimal($0.bytes))" }
        if report.fileBytes > 0 { lines.append("data file: \(ByteSize.decimal(report.fileBytes))") }
        if report.endedRemovals > 0 { lines.append("ended removals: \(report.endedRemovals)") }
        if report.waitingRemovals > 0 { lines.append("removals that wait for somebody: \(report.waitingRemovals)") }
        try options.output.print(json: TrimJSON(report), text: lines.isEmpty ? nil : lines.joined(separator: "\n"))
    }
}

private struct TrimJSON: Encodable {
    struct Layer: Encodable {
        let id: String
        let bytes: UInt64
    }

    let layers: [Layer]
    let endedRemovals: Int
    let waitingRemovals: Int
    let fileBytes: UInt64

    init(_ report: TrimReport) {
        layers = report.layers.map { Layer(id: $0.id.text, bytes: $0.bytes) }
        endedRemovals = report.endedRemovals
        waitingRemovals = report.waitingRemovals
        fileBytes = report.fileBytes
    }

    enum CodingKeys: String, CodingKey {
        case layers
        case endedRemovals = "ended_removals"
        case waitingRemovals = "waiting_removals"
        case fileBytes = "file_bytes"
    }
}
