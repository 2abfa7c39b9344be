internal import ArgumentParser
internal import LayerStore
internal import ThinProvisioning

/// The command `why-big`.
struct WhyBig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why-big",
        abstract: "Print which layers take the space of the pool, or which share that of a layer.",
        discussion: """
            Without an id, it prints how much the removal of each layer frees, the largest first, and the space of thin \
            devices that are no layers. With an id, it prints which layers share the blocks of this one. An active pool \
            holds a snapshot of its metadata meanwhile, which takes a few commits.
            """)

    @Argument(help: "The id of a layer, or base for the base device.")
    var id: String?

    @OptionGroup var options: GlobalOptions

    /// How many lines a list has at the most.
    private static let longest = 20

    func run() throws {
        let store = try options.openStore()
        guard let id else {
            let report = try store.space()
            return try options.output.print(json: json(report), text: text(report))
        }
        let report = try store.space(of: id == LayerID.base.text ? .base : LayerID(id))
        try options.output.print(json: json(report), text: text(report))
    }

    // MARK: The pool

    private func largestFirst(_ report: SpaceReport) -> [(id: LayerID, space: LayerSpace)] {
        report.layers.map { ($0.key, $0.value) }.sorted {
            ($1.space.exclusive, $0.id.text) < ($0.space.exclusive, $1.id.text)
        }
    }

    private func text(_ report: SpaceReport) -> String {
        var lines = [
            "\(ByteSize.decimal(report.used)) of \(ByteSize.decimal(report.size)) are used",
            "\(ByteSize.decimal(report.shared)) of them are shared; the removal of the last layer that has them frees them",
        ]
        let own = largestFirst(report).filter { $0.space.exclusive > 0 && $0.id != .base }
        if !own.isEmpty { lines.append("the removal of a layer frees:") }
        lines += rows(own.map { ($0.space.exclusive, $0.id.text) })
        if !report.removed.isEmpty {
            let bytes = report.removed.values.reduce(0) { $0 + $1.exclusive }
            lines.append(
                "\(ByteSize.decimal(bytes)) belong to \(report.removed.count) removed layers that wait; “dmlayer trim” frees "
                    + "them as soon as nothing uses them")
        }
        if !report.unknown.isEmpty {
            let bytes = report.unknown.values.reduce(0) { $0 + $1.exclusive }
            let numbers = report.unknown.keys.sorted().prefix(Self.longest).map(\.description)
            lines.append(
                "\(ByteSize.decimal(bytes)) belong to thin devices that are no layers (\(numbers.joined(separator: ", "))); "
                    + "“dmlayer check” says what they are")
        }
        return lines.joined(separator: "\n")
    }

    /// A table of sizes and names, the end of which is summed up.
    private func rows(_ rows: [(bytes: UInt64, name: String)]) -> [String] {
        guard !rows.isEmpty else { return [] }
        var shown = rows.prefix(Self.longest).map { ["  \(ByteSize.decimal($0.bytes))", $0.name] }
        let rest = rows.dropFirst(Self.longest)
        if !rest.isEmpty {
            let most = rest.map(\.bytes).max() ?? 0
            shown.append(["  …", "\(rest.count) more with at most \(ByteSize.decimal(most))"])
        }
        return [Columns.aligned(shown)]
    }

    private struct PoolJSON: Encodable {
        struct Entry: Encodable {
            var id: String?
            var device: UInt32?
            let space: LayerSpace
        }
        let size: UInt64
        let used: UInt64
        let shared: UInt64
        let layers: [Entry]
        let removed: [Entry]
        let unknown: [Entry]
    }

    private func json(_ report: SpaceReport) -> PoolJSON {
        func entries(_ devices: [ThinDeviceID: LayerSpace]) -> [PoolJSON.Entry] {
            devices.sorted { $0.key < $1.key }.map { PoolJSON.Entry(device: $0.value, space: $1) }
        }
        return PoolJSON(
            size: report.size, used: report.used, shared: report.shared,
            layers: largestFirst(report).map { PoolJSON.Entry(id: $0.id.text, space: $0.space) },
            removed: entries(report.removed), unknown: entries(report.unknown))
    }

    // MARK: A layer

    private func text(_ report: LayerSpaceReport) -> String {
        let space = report.space
        var lines = [
            "\(report.id) has \(ByteSize.decimal(report.size)), of which \(ByteSize.decimal(space.mapped)) have blocks in the "
                + "pool",
            "\(ByteSize.decimal(space.exclusive)) are only in \(report.id); its removal frees them",
        ]
        if !report.sharedWith.isEmpty {
            lines.append("\(ByteSize.decimal(space.shared)) are shared with other layers:")
            lines += rows(report.sharedWith.map { ($0.bytes, $0.layer?.text ?? "thin device \($0.device)") })
        }
        guard let use = report.filesystemUse else {
            return (lines + ["mount it to see how much its files use"]).joined(separator: "\n")
        }
        lines.append("its files use \(ByteSize.decimal(use))")
        if use < space.mapped {
            lines[lines.count - 1] += "; “dmlayer trim \(report.id)” gives back blocks that no file uses any more"
        }
        return lines.joined(separator: "\n")
    }

    private struct ReportJSON: Encodable {
        struct Share: Encodable {
            let device: UInt32
            let layer: String?
            let bytes: UInt64
        }
        let id: String
        let size: UInt64
        let space: LayerSpace
        let sharedWith: [Share]
        let filesystemUse: UInt64?

        private enum CodingKeys: String, CodingKey {
            case id, size, space
            case sharedWith = "shared_with"
            case filesystemUse = "filesystem_use"
        }
    }

    private func json(_ report: LayerSpaceReport) -> ReportJSON {
        ReportJSON(
            id: report.id.text, size: report.size, space: report.space,
            sharedWith: report.sharedWith.map {
                ReportJSON.Share(device: $0.device.value, layer: $0.layer?.text, bytes: $0.bytes)
            }, filesystemUse: report.filesystemUse)
    }
}
